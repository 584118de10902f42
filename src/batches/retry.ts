// retry.ts — puts failed images of an ended batch back into the queue, window by window.
//
// The request (change.ts) has already raised the generation and opened the batch; nothing closes it until the walk is over.

import { sql, type RawBuilder } from 'kysely';
import type { Uses } from '../app.ts';
import type { Tx } from '../db/database.ts';
import { tellBatches } from '../notify/events.ts';
import type { Lane } from '../queue/queue.ts';
import type { Chore, RetryFilter } from './chores.ts';
import { closeBatches } from './close.ts';
import { standing, turnOf, type Standing } from './share.ts';
import { windowsOf, type Window } from './windows.ts';

export async function retryRows(app: Uses<'db' | 'config'>, chore: Chore, signal: AbortSignal): Promise<void> {
  const { db } = app;
  const { batchId, worker, claims } = chore;
  for await (const window of windowsOf(app, batchId, { from: chore.row, signal }))
    if (!(await retryWindow(app, chore, window))) return;
  await db.transaction(async (tx) => {
    await sql`
      update batches set
        chore = case when canceled_at is null then null else 'cancel' end, worker = null, chore_row = 0, chore_filter = null
      where id = ${batchId} and worker = ${worker} and claims = ${claims} and chore = 'retry'`.execute(tx);
    await closeBatches(tx, [batchId]);
    await tellBatches(tx, [batchId]);
    await sql`select pg_notify('work', '')`.execute(tx);
  });
}

/** One window of positions; the cursor moves with it. Returns false when the chore is no longer ours. */
async function retryWindow(
  { db, config }: Uses<'db' | 'config'>,
  { batchId, worker, claims, filter }: Chore,
  { from, to }: Window,
): Promise<boolean> {
  return db.transaction(async (tx) => {
    // Images before batches: a deletion by hand holds its images while it waits for their batch.
    const { rows: images } = await sql<{ id: string; state: 'failed' | 'canceled' }>`
      select id, state from images
      where batch_id = ${batchId} and position > ${from} and position <= ${to} and ${retryable(filter)}
      order by id for update`.execute(tx);
    const failed = images.filter((image) => image.state === 'failed').length;
    const { rows: ours } = await sql<Standing & { lane: Lane }>`
      with s as (${standing(batchId)})
      update batches set
        chore_row = ${to}, turn = ${turnOf(sql<number>`${images.length}::int`)},
        failed = failed - ${failed}, canceled = canceled - ${images.length - failed}::int
      from s
      where id = ${batchId} and worker = ${worker} and claims = ${claims} and chore = 'retry' and chore_row = ${from}
      returning lane, s.*`.execute(tx);
    const [batch] = ours;
    if (!batch) return false;
    await queueAgain(
      tx,
      images.map((image) => image.id),
      { ...batch, attempts: config.attempts },
    );
    return true;
  });
}

/** Images with fresh tries behind the turns that their batch has; ids rise as positions do, so the order is the input's. */
async function queueAgain(
  tx: Tx,
  ids: string[],
  { lane, attempts, ...at }: Standing & { lane: Lane; attempts: number },
) {
  await sql`
    with r as (
      select r.id, ${turnOf(sql<number>`r.n`)} as turn
      from jsonb_to_record(${JSON.stringify(at)}::jsonb) as s(base bigint, step bigint, ahead bigint, among bigint),
        unnest(${ids}::uuid[]) with ordinality as r(id, n)
    )
    update images i set
      state = 'queued', lane = ${lane}, turn = r.turn, run_at = null, worker = null,
      attempts_left = ${attempts}, strikes = 0, parks = 0, finished_at = null,
      error_code = null, error_host = null, error_status = null, warnings = null
    from r where i.id = r.id`.execute(tx);
}

/** Uploads that were no pictures: nothing of them was kept, so there is nothing to try. The bytes were counted, no more. */
export const wasRefused = sql<boolean>`
  (source_url is null and source_file is null and source_type is null and source_bytes is not null)`;

/** Which images a retry means: those named by code, host or id; without any of these all that failed or were canceled. */
export function retryable({ codes, hosts, imageIds }: RetryFilter): RawBuilder<boolean> {
  const parts = [codes || hosts ? sql`state = 'failed'` : sql`state in ('failed', 'canceled')`];
  parts.push(sql`not ${wasRefused}`);
  if (codes) parts.push(sql`error_code = any(${codes}::text[])`);
  if (hosts) parts.push(sql`error_host = any(${hosts}::text[])`);
  if (imageIds) parts.push(sql`id = any(${imageIds}::uuid[])`);
  return sql<boolean>`${sql.join(parts, sql` and `)}`;
}
