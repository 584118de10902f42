// tickets.ts — a ticket stands for a key where no header can be sent: a browser cannot give a WebSocket one.
//
// It is in a URL, and URLs end up in logs. So it opens one socket, within half a minute, and says no more than whose it is.

import { createHash, randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import type { Uses } from '../app.ts';
import type { Caller } from './http.ts';

const livesSeconds = 30;

/** A new ticket with the rights of the caller. */
export async function issueTicket(
  { db }: Uses<'db'>,
  { owner, scope, key }: Caller,
): Promise<{ token: string; expiresAt: Date }> {
  const token = `drt_${randomBytes(32).toString('base64url')}`;
  const { rows } = await sql<{ expires_at: Date }>`
    insert into socket_tickets (hash, key_id, owner, scope, expires_at)
    values (${hashOf(token)}, ${key ?? null}, ${owner}, ${scope}, now() + ${livesSeconds} * interval '1 s')
    returning expires_at`.execute(db.query);
  // Those that nobody came with; each ticket takes a few along, so none stay.
  await sql`
    delete from socket_tickets where hash in (select hash from socket_tickets where expires_at < now() limit 100)`.execute(
    db.query,
  );
  return { token, expiresAt: rows[0]?.expires_at ?? new Date() };
}

/** Takes a ticket; undefined when it is unknown, used or too old. */
export async function redeemTicket({ db }: Uses<'db'>, token: string): Promise<Caller | undefined> {
  const { rows } = await sql<{ key_id: string | null; owner: string; scope: Caller['scope']; valid: boolean }>`
    delete from socket_tickets where hash = ${hashOf(token)}
    returning key_id, owner, scope, expires_at > now() as valid`.execute(db.query);
  const [ticket] = rows;
  if (!ticket?.valid) return undefined;
  const { owner, scope, key_id: key } = ticket;
  return { owner, scope, sees: scope === 'admin' ? undefined : owner, ...(key !== null && { key }) };
}

const hashOf = (token: string): Buffer => createHash('sha256').update(token).digest();
