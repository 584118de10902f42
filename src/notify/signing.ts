// signing.ts — lets a receiver prove that a webhook is ours and unchanged: Standard Webhooks.
//
// The scheme is the library's. It signs text, so every body must be valid UTF-8, as all of ours are; the signature then
// covers exactly the bytes that are sent. The house has one secret, configured or made once and kept in the database; each
// owner of keys has one of his own, derived from it, so that no owner can forge what another receives.

import { createHmac, randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { sql } from 'kysely';
import { Webhook } from 'standardwebhooks';
import type { Uses } from '../app.ts';
import type { Config } from '../config.ts';
import type { Database } from '../db/database.ts';

/** The house's own secret. Of two processes that make one at the same moment the first wins, and both use it. */
export async function webhookSecret(db: Database, config: Pick<Config, 'webhookSecret'>): Promise<string> {
  if (config.webhookSecret !== '') return config.webhookSecret;
  const kept = () =>
    db.query.selectFrom('settings').select('value').where('name', '=', 'webhook_secret').executeTakeFirst();
  const found = await kept();
  if (found) return String(found.value);
  await db.query
    .insertInto('settings')
    .values({ name: 'webhook_secret', value: JSON.stringify(`whsec_${randomBytes(32).toString('base64')}`) })
    .onConflict((taken) => taken.column('name').doNothing())
    .execute();
  return String((await kept())?.value);
}

/** `secrets`: the newest first, each signs. `previousUntil`: when the older of two stops to sign. */
export type OwnerSecrets = { secrets: string[]; previousUntil: Date | null };

/** For so long after a rotation the secret before signs as well, until every receiver knows the new one. */
const overlapHours = 24;

/** The live secrets of an owner; '' is the house itself, whose first secret is the configured one as it is. */
export async function ownerSecrets({ db, config }: Uses<'db' | 'config'>, owner: string): Promise<OwnerSecrets> {
  const base = await webhookSecret(db, config);
  const { rows } = await sql<{ generation: number; until: Date; overlaps: boolean }>`
    select (value ->> 'generation')::int as generation, until, until > now() as overlaps
    from settings, lateral (
      select (value ->> 'rotated_at')::timestamptz + ${overlapHours} * interval '1 hour' as until) u
    where name = ${rotationOf(owner)}`.execute(db.query);
  const [row] = rows;
  if (!row) return { secrets: [derived(base, owner, 0)], previousUntil: null };
  const newest = derived(base, owner, row.generation);
  if (!row.overlaps) return { secrets: [newest], previousUntil: null };
  return { secrets: [newest, derived(base, owner, row.generation - 1)], previousUntil: row.until };
}

/** Gives the owner a new secret; the one before signs beside it for a day, one still older no longer. */
export async function rotateSecret(app: Uses<'db' | 'config'>, owner: string): Promise<OwnerSecrets> {
  await sql`
    insert into settings as s (name, value)
    values (${rotationOf(owner)}, jsonb_build_object('generation', 1, 'rotated_at', now()))
    on conflict (name) do update set
      value = jsonb_build_object('generation', (s.value ->> 'generation')::int + 1, 'rotated_at', now())`.execute(
    app.db.query,
  );
  return ownerSecrets(app, owner);
}

const rotationOf = (owner: string): string => `webhook_rotation:${owner}`;

function derived(base: string, owner: string, generation: number): string {
  if (owner === '' && generation === 0) return base;
  const key = Buffer.from(base.replace(/^whsec_/, ''), 'base64');
  const mark = JSON.stringify(['webhook', owner, generation]);
  return `whsec_${createHmac('sha256', key).update(mark).digest('base64')}`;
}

/** The three headers of one try. `id` stays the same over all tries, `at` is the time of this one. */
export function signatureHeaders(
  secrets: readonly string[],
  message: { id: string; at: Date; body: Buffer },
): { 'webhook-id': string; 'webhook-timestamp': string; 'webhook-signature': string } {
  const { id, at, body } = message;
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': secrets.map((secret) => new Webhook(secret).sign(id, at, body)).join(' '),
  };
}

/** Whether a message with these headers was signed with `secret`, a few minutes ago at most. */
export function isGenuine(secret: string, headers: IncomingHttpHeaders, body: string): boolean {
  const names = ['webhook-id', 'webhook-timestamp', 'webhook-signature'];
  try {
    new Webhook(secret).verify(body, Object.fromEntries(names.map((name) => [name, String(headers[name])])));
    return true;
  } catch {
    return false;
  }
}
