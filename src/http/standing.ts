// standing.ts — whether whoever opened a stream or a socket would still be let in: keys are revoked while they are open.

import { sql } from 'kysely';
import type { Uses } from '../app.ts';
import type { Caller } from './http.ts';
import type { Identity } from './identity.ts';

/** False once the caller's key is revoked or over, or when keys were made since everything was open. */
export async function stillStands(
  { db }: Uses<'db'>,
  { keyed }: Pick<Identity, 'keyed'>,
  { key }: Pick<Caller, 'key'>,
): Promise<boolean> {
  if (key === undefined) return !keyed();
  // DARKROOM_API_KEY: it lasts as long as this process.
  if (key === '') return true;
  const { rows } = await sql`
    select 1 from api_keys
    where id = ${key} and revoked_at is null and (expires_at is null or expires_at > now())`.execute(db.query);
  return rows.length > 0;
}
