// change.ts — what people may ask of a batch that exists: cancel it, retry its failures, delete it.
//
// The request only sets the order and makes it visible; the rows follow as a chore, so that the answer does not depend on
// the size of the batch.

import { sql } from 'kysely';
import type { Uses } from '../app.ts';
import type { Tx } from '../db/database.ts';
import { problem } from '../problem.ts';
import { tellBatches } from '../notify/events.ts';
import type { RetryFilter } from './chores.ts';
import { hasEnded, type Batch } from './model.ts';
import { readBatch } from './read.ts';
import { retryable } from './retry.ts';

/** Cancels what waits; running images finish. A batch that has ended stays as it is. Undefined when there is none. */
export async function cancelBatch({ db }: Uses<'db'>, id: string): Promise<Batch | undefined> {
  return db.transaction(async (tx) => {
    await sql`
      update batches set canceled_at = now(), chore = coalesce(chore, 'cancel')
      where id = ${id} and state in ('expanding', 'queued', 'running') and canceled_at is null
        and chore is distinct from 'delete'`.execute(tx);
    await tellBatches(tx, [id]);
    await sql`select pg_notify('work', '')`.execute(tx);
    return readBatch(tx, id);
  });
}

/**
 * Puts failed images back into the queue and opens the batch for a new generation. Without a filter: all that failed or
 * were canceled. Throws batch_running, or nothing_to_retry when no image matches.
 */
export async function retryBatch(
  { db }: Uses<'db'>,
  id: string,
  filter: RetryFilter,
): Promise<{ retried: number; batch: Batch }> {
  return db.transaction(async (tx) => {
    await sql`select id from batches where id = ${id} for update`.execute(tx);
    const batch = await readBatch(tx, id);
    if (!batch) throw problem('not_found');
    if (!hasEnded(batch.state)) throw problem('batch_running');
    const retried = await countRetryable(tx, batch, filter);
    if (retried === 0) throw problem('nothing_to_retry');
    await sql`
      update batches set
        state = 'running', generation = generation + 1, finished_at = null, canceled_at = null, expires_at = null,
        chore = 'retry', chore_row = 0, chore_filter = ${JSON.stringify(filter)}, worker = null,
        turn = 0 -- it begins where its lane is now, like any newcomer
      where id = ${id}`.execute(tx);
    await tellBatches(tx, [id]);
    await sql`select pg_notify('work', '')`.execute(tx);
    const opened = await readBatch(tx, id);
    return { retried, batch: opened ?? batch };
  });
}

/** Deletes the batch: invisible at once, its rows and files follow. Throws not_found, or batch_running unless `cancel`. */
export async function deleteBatch({ db }: Uses<'db'>, id: string, { cancel }: { cancel: boolean }): Promise<void> {
  await db.transaction(async (tx) => {
    await sql`select id from batches where id = ${id} for update`.execute(tx);
    const batch = await readBatch(tx, id);
    if (!batch) throw problem('not_found');
    if (!cancel && !hasEnded(batch.state)) throw problem('batch_running');
    await sql`
      update batches set chore = 'delete', worker = null, canceled_at = coalesce(canceled_at, now()) where id = ${id}`.execute(
      tx,
    );
    await tellBatches(tx, [id]);
    await sql`select pg_notify('work', '')`.execute(tx);
  });
}

/** Of a catalog the counters know how many there are in all; what is a choice, or may hold refused uploads, is counted. */
async function countRetryable(tx: Tx, { id, counts, dialect }: Batch, filter: RetryFilter): Promise<number> {
  if (dialect && !filter.codes && !filter.hosts && !filter.imageIds) return counts.failed + counts.canceled;
  const { rows } = await sql<{ count: number }>`
    select count(*) as count from images where batch_id = ${id} and ${retryable(filter)}`.execute(tx);
  return Number(rows[0]?.count ?? 0);
}
