// delete.ts — removes a batch with all its rows, window by window.
//
// The request has already made the batch invisible to reads. Triggers send the files of deleted rows to the trash; a worker
// in the middle of one of these images settles nothing.

import { setImmediate } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Uses } from '../app.ts';
import { tellBatches } from '../notify/events.ts';
import type { Chore } from './chores.ts';
import { writeDeleted } from './journal.ts';
import { windowsOf, type Window } from './windows.ts';

export async function deleteRows({ db }: Uses<'db'>, { batchId }: Chore, signal: AbortSignal): Promise<void> {
  for await (const window of windowsOf({ db }, batchId, { from: 0, signal }))
    await deleteImages({ db }, batchId, window);
  for (let line: number | undefined = -1; line !== undefined; await setImmediate()) {
    signal.throwIfAborted();
    line = await deleteProducts({ db }, batchId, line);
  }
  await db.transaction(async (tx) => {
    const gone = await tx
      .deleteFrom('batches')
      .where('id', '=', batchId)
      .returning(['owner', 'generation'])
      .executeTakeFirst();
    if (!gone) return;
    await writeDeleted(tx, { batchId, ...gone });
    await tellBatches(tx, [batchId]);
  });
}

/** Locked in id order before they go: settles that meet this window would otherwise wait for it, and it for them. */
async function deleteImages({ db }: Uses<'db'>, batchId: string, { from, to }: Window): Promise<void> {
  await db.transaction(async (tx) => {
    const { rows } = await sql<{ id: string }>`
      select id from images where batch_id = ${batchId} and position > ${from} and position <= ${to}
      order by id for update`.execute(tx);
    await sql`delete from images where id = any(${rows.map(({ id }) => id)}::uuid[])`.execute(tx);
  });
}

/** Deletes the next lines after `line`; returns the last one, or undefined when none was left. */
async function deleteProducts({ db }: Uses<'db'>, batchId: string, line: number): Promise<number | undefined> {
  const { rows } = await sql<{ last: number | null }>`
    with gone as (
      delete from products where batch_id = ${batchId} and line in (
        select line from products where batch_id = ${batchId} and line > ${line} order by line limit ${db.rowsPerStatement})
      returning line
    )
    select max(line) as last from gone`.execute(db.query);
  return rows[0]?.last ?? undefined;
}
