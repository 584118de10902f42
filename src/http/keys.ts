// keys.ts — API keys at rest: made, listed, revoked, looked up.
//
// A key is `drk_<id>_<256 random bits>`. Its secret is shown once; kept is a SHA-256, which needs no salt and no slowness,
// because nobody guesses 256 bits. A revoked key keeps its row for ever: if the last one vanished, the house would be
// open to everybody. Also the command line makes keys with this file.

import { createHash, randomBytes, randomInt, timingSafeEqual } from 'node:crypto';
import { sql } from 'kysely';
import type { Uses } from '../app.ts';

export type KeyScope = 'read' | 'write' | 'admin';

/** A key as its operator may see it. */
export type KeyFacts = {
  id: string;
  name: string;
  scope: KeyScope;
  /** Whose rows it sees and makes; an admin key sees all. */
  owner: string;
  createdAt: Date;
  expiresAt: Date | null;
  lastUsedAt: Date | null;
  revokedAt: Date | null;
};

export type NewKey = { name: string; scope: KeyScope; owner?: string | undefined; expiresAt?: Date | undefined };

/** The form of an owner's label, and of a key. */
export const ownerForm = /^[A-Za-z0-9._@-]{1,64}$/;
const keyForm = /^drk_([A-Za-z0-9]{8})_[A-Za-z0-9_-]{43}$/;

/** What stands before the secret of a key: enough to recognise it. */
export const prefixOf = (id: string): string => `drk_${id}`;

/** The id in a key; undefined when it has not the form of one. */
export function keyIdOf(text: string): string | undefined {
  return keyForm.exec(text)?.[1];
}

export const hashOf = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Makes a key. `secret` is the whole key, and nobody can show it again. */
export async function createKey({ db }: Uses<'db'>, given: NewKey): Promise<{ key: KeyFacts; secret: string }> {
  const id = newKeyId();
  const secret = `${prefixOf(id)}_${randomBytes(32).toString('base64url')}`;
  const { name, scope, owner = id, expiresAt = null } = given;
  const row = { id, hash: hashOf(secret), name, scope, owner, expires_at: expiresAt };
  await db.query.insertInto('api_keys').values(row).execute();
  const key = await readKey({ db }, id);
  if (!key) throw new Error(`key ${id} is not there right after its insert`);
  return { key, secret };
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const newKeyId = (): string => Array.from({ length: 8 }, () => alphabet[randomInt(alphabet.length)]).join('');

const shown = ['id', 'name', 'scope', 'owner', 'created_at', 'expires_at', 'last_used_at', 'revoked_at'] as const;
// The row that stands for DARKROOM_API_KEY has no owner; it is a matter of sessions.ts alone.
const keysOf = ({ db }: Uses<'db'>) => db.query.selectFrom('api_keys').select(shown).where('owner', '<>', '');

/** Newest first; `before` is the last of the page before. */
export async function listKeys(
  app: Uses<'db'>,
  { before, limit }: { before?: string | undefined; limit: number },
): Promise<KeyFacts[]> {
  const rows = await keysOf(app)
    .$if(before !== undefined, (q) =>
      q.where(sql<boolean>`(created_at, id) < (select created_at, id from api_keys where id = ${before ?? ''})`),
    )
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
  return rows.map(factsOf);
}

async function readKey(app: Uses<'db'>, id: string): Promise<KeyFacts | undefined> {
  const row = await keysOf(app).where('id', '=', id).executeTakeFirst();
  return row && factsOf(row);
}

/** Revokes a key; its sessions end with it. Undefined when there is none. */
export async function revokeKey(app: Uses<'db'>, id: string): Promise<KeyFacts | undefined> {
  await sql`update api_keys set revoked_at = coalesce(revoked_at, now()) where id = ${id} and owner <> ''`.execute(
    app.db.query,
  );
  return readKey(app, id);
}

/** True from the first key on, for ever. */
export async function anyKey({ db }: Uses<'db'>): Promise<boolean> {
  const { rows } = await sql<{ any: boolean }>`select exists (select from api_keys where owner <> '') as any`.execute(
    db.query,
  );
  return rows[0]?.any ?? false;
}

export type LiveKey = { id: string; scope: KeyScope; owner: string };

// Compared with when the id is unknown, so that both take the same time.
const dummy = Buffer.alloc(32);

/** The key that was sent, if it is one and holds today. Remembers now and then that it was used. */
export async function findLiveKey({ db }: Uses<'db'>, sent: string): Promise<LiveKey | undefined> {
  const id = keyIdOf(sent);
  if (id === undefined) return undefined;
  const { rows } = await sql<LiveKey & { hash: Buffer; stale: boolean }>`
    select id, scope, owner, hash, coalesce(last_used_at < now() - interval '1 minute', true) as stale
    from api_keys
    where id = ${id} and owner <> '' and revoked_at is null and (expires_at is null or expires_at > now())`.execute(
    db.query,
  );
  const [row] = rows;
  const same = timingSafeEqual(hashOf(sent), row ? Buffer.from(row.hash) : dummy);
  if (!row || !same) return undefined;
  if (row.stale) await sql`update api_keys set last_used_at = now() where id = ${id}`.execute(db.query);
  return { id, scope: row.scope, owner: row.owner };
}

type Row = {
  id: string;
  name: string;
  scope: KeyScope;
  owner: string;
  created_at: Date;
  expires_at: Date | null;
  last_used_at: Date | null;
  revoked_at: Date | null;
};

function factsOf(row: Row): KeyFacts {
  return {
    id: row.id,
    name: row.name,
    scope: row.scope,
    owner: row.owner,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    lastUsedAt: row.last_used_at,
    revokedAt: row.revoked_at,
  };
}
