// instance.ts — the name of this deployment: all processes on one database have the same, and no other deployment has it.

import { randomBytes } from 'node:crypto';
import type { Database } from './database.ts';

/** Made once and kept. Of two processes that make one at the same moment the first wins, and both use it. */
export async function instanceOf({ query }: Pick<Database, 'query'>): Promise<string> {
  await query
    .insertInto('settings')
    .values({ name: 'instance', value: JSON.stringify(randomBytes(6).toString('hex')) })
    .onConflict((taken) => taken.column('name').doNothing())
    .execute();
  const kept = await query
    .selectFrom('settings')
    .select('value')
    .where('name', '=', 'instance')
    .executeTakeFirstOrThrow();
  return String(kept.value);
}
