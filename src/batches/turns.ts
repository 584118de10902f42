// turns.ts — rare chores that one worker does for all: whose turn it is.
//
// The table remembers when the last one began, so neither many workers nor many restarts make it more often.

import { sql } from 'kysely';
import type { Uses } from '../app.ts';

/** True for one worker every `ms`. A round that dies is not repeated before the next turn. */
export async function takeTurn({ db }: Uses<'db'>, chore: 'prune' | 'scrub', ms: number): Promise<boolean> {
  const { rows } = await sql`
    insert into settings as s (name, value) values (${`last_${chore}`}, to_jsonb(now()))
    on conflict (name) do update set value = excluded.value
      where (s.value #>> '{}')::timestamptz < now() - ${ms} * interval '1 ms'
    returning name`.execute(db.query);
  return rows.length > 0;
}
