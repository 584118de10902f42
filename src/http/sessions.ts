// sessions.ts — the page's sign-in: a session instead of a key in the browser.
//
// A session is a random cookie, hashed at rest, that ends after two idle hours, after twelve in all, and with its key. A
// script of another page cannot read it; what it might have sent along is refused without the token of GET /v1/session.
// DARKROOM_API_KEY has no row of its own, so the first sign-in with it makes one without owner, which admits nobody by
// itself: it only ties sessions to the very key that is configured now.

import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import type { Uses } from '../app.ts';
import type { Config } from '../config.ts';
import { findLiveKey, hashOf, keyIdOf, type KeyScope, type LiveKey } from './keys.ts';

export type Session = LiveKey & { csrf: string };

const idleHours = 2;
const mostHours = 12;
const linkMinutes = 15;

type Needs = Uses<'db'> & { config: Pick<Config, 'apiKey'> };

const isLive = sql<boolean>`s.seen_at > now() - ${idleHours} * interval '1 hour'
  and s.created_at > now() - ${mostHours} * interval '1 hour'`;
const isKeyLive = sql<boolean>`k.revoked_at is null and (k.expires_at is null or k.expires_at > now())`;

/** Makes a session for whoever knows the key; undefined when it is none. */
export async function signInByKey(app: Needs, sent: string): Promise<string | undefined> {
  const isConfigured = app.config.apiKey !== '' && hashOf(sent).equals(hashOf(app.config.apiKey));
  const id = isConfigured ? await standIn(app) : (await findLiveKey(app, sent))?.id;
  return id === undefined ? undefined : openSession(app, id);
}

/** Makes a session for whoever brings a one-time link; it works once. */
export async function signInByLink(app: Needs, token: string): Promise<string | undefined> {
  const { rows } = await sql<{ key_id: string }>`
    delete from sign_in_links where hash = ${hashOf(token)} and expires_at > now() returning key_id`.execute(
    app.db.query,
  );
  return rows[0] && openSession(app, rows[0].key_id);
}

/** A token for a one-time link of an administrator; undefined when there is no admin key it could stand for. */
export async function createSignInLink(app: Needs): Promise<string | undefined> {
  const id = app.config.apiKey === '' ? await newestAdmin(app) : await standIn(app);
  if (id === undefined) return undefined;
  const token = randomBytes(32).toString('base64url');
  await sql`delete from sign_in_links where expires_at < now()`.execute(app.db.query);
  await sql`
    insert into sign_in_links (hash, key_id, expires_at)
    values (${hashOf(token)}, ${id}, now() + ${linkMinutes} * interval '1 minute')`.execute(app.db.query);
  return token;
}

/** The session behind a cookie, while it and its key hold. */
export async function findSession(app: Needs, token: string): Promise<Session | undefined> {
  type Row = { csrf: string; id: string; scope: KeyScope; owner: string; hash: Buffer; stale: boolean };
  const { rows } = await sql<Row>`
    select s.csrf, k.id, k.scope, k.owner, k.hash, s.seen_at < now() - interval '1 minute' as stale
    from sessions s join api_keys k on k.id = s.key_id
    where s.hash = ${hashOf(token)} and ${isLive} and ${isKeyLive}`.execute(app.db.query);
  const [row] = rows;
  if (!row) return undefined;
  if (row.owner === '' && !isStandInOf(app.config.apiKey, row.hash)) return undefined;
  if (row.stale) await sql`update sessions set seen_at = now() where hash = ${hashOf(token)}`.execute(app.db.query);
  const { csrf, id, scope, owner } = row;
  return { csrf, id, scope, owner };
}

export async function endSession({ db }: Uses<'db'>, token: string): Promise<void> {
  await sql`delete from sessions where hash = ${hashOf(token)}`.execute(db.query);
}

async function openSession({ db }: Uses<'db'>, keyId: string): Promise<string> {
  const token = randomBytes(32).toString('base64url');
  // Ended ones have no other use; there are as many as people who signed in since.
  await sql`delete from sessions s where not (${isLive})`.execute(db.query);
  await sql`
    insert into sessions (hash, key_id, csrf)
    values (${hashOf(token)}, ${keyId}, ${randomBytes(32).toString('base64url')})`.execute(db.query);
  return token;
}

async function newestAdmin({ db }: Uses<'db'>): Promise<string | undefined> {
  const { rows } = await sql<{ id: string }>`
    select id from api_keys k where scope = 'admin' and owner <> '' and ${isKeyLive}
    order by created_at desc, id desc limit 1`.execute(db.query);
  return rows[0]?.id;
}

/** The id of the row that stands for DARKROOM_API_KEY. Another key under the same id replaces the one before. */
async function standIn({ db, config }: Needs): Promise<string | undefined> {
  const id = keyIdOf(config.apiKey);
  if (id === undefined) return undefined;
  const { rows } = await sql<{ id: string }>`
    insert into api_keys as k (id, hash, name, scope, owner)
    values (${id}, ${markOf(config.apiKey)}, 'DARKROOM_API_KEY', 'admin', '')
    on conflict (id) do update set hash = excluded.hash where k.owner = ''
    returning id`.execute(db.query);
  return rows[0]?.id;
}

// Not the hash of the key itself: the row must never be found by a key that was sent.
const markOf = (apiKey: string): Buffer => hashOf(`stands for ${apiKey}`);
const isStandInOf = (apiKey: string, hash: Buffer): boolean =>
  apiKey !== '' && markOf(apiKey).equals(Buffer.from(hash));
