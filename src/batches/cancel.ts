// cancel.ts — ends the waiting images of a canceled batch, window by window.
//
// Running images finish normally. What they would put back instead (`retry`, `release`, a lost worker) is canceled by
// whoever puts it back, with the batch locked: either it sees `canceled_at`, or the cancellation waits for its commit and
// then finds the image waiting. So one walk is enough.

import { sql } from 'kysely';
import type { Uses } from '../app.ts';
import type { Tx } from '../db/database.ts';
import type { Chore } from './chores.ts';
import { closeBatches } from './close.ts';
import { recordEnds, type Ended } from './end.ts';
import { windowsOf, type Window } from './windows.ts';

export async function cancelWaiting({ db }: Uses<'db'>, chore: Chore, signal: AbortSignal): Promise<void> {
  const { batchId, worker, claims } = chore;
  for await (const window of windowsOf({ db }, batchId, { from: 0, signal }))
    if (!(await cancelWindow({ db }, chore, window))) return;
  await db.transaction(async (tx) => {
    await sql`
      update batches set chore = null, worker = null
      where id = ${batchId} and worker = ${worker} and claims = ${claims} and chore = 'cancel'`.execute(tx);
    await closeBatches(tx, [batchId]);
  });
}

/** Returns false when the chore is no longer ours: the batch may have been opened again by a retry. */
async function cancelWindow({ db }: Uses<'db'>, chore: Chore, { from, to }: Window): Promise<boolean> {
  const { batchId, worker, claims } = chore;
  return db.transaction(async (tx) => {
    // Images before batches, as everywhere.
    const waiting = await sql<{ id: string }>`
      select id from images
      where batch_id = ${batchId} and position > ${from} and position <= ${to} and state in ('queued', 'dispatched')
      order by id for update`.execute(tx);
    const { rows: ours } = await sql`
      select id from batches
      where id = ${batchId} and worker = ${worker} and claims = ${claims} and chore = 'cancel' for update`.execute(tx);
    if (ours.length === 0) return false;
    const ids = waiting.rows.map(({ id }) => id);
    await recordEnds(tx, await cancelImages(tx, ids));
    return true;
  });
}

/**
 * Of images that the open transaction has written, cancels those it put back although their batch was canceled; returns
 * them. The batches stay locked until the commit: a cancellation that comes now waits, and then finds the others waiting.
 * All batches of the transaction are locked here, in id order, because it goes on to count in all of them.
 */
export async function cancelPutBack(
  tx: Tx,
  written: { id: string; batch_id: string; state: string }[],
): Promise<Ended[]> {
  const putBack = written.filter((image) => image.state === 'queued');
  if (putBack.length === 0) return [];
  const ids = [...new Set(written.map((image) => image.batch_id))];
  const { rows } = await sql<{ id: string; canceled: boolean }>`
    select id, canceled_at is not null as canceled from batches
    where id = any(${ids}::uuid[]) order by id for update`.execute(tx);
  const canceled = new Set(rows.filter((row) => row.canceled).map((row) => row.id));
  return cancelImages(
    tx,
    putBack.filter((image) => canceled.has(image.batch_id)).map((image) => image.id),
  );
}

/** Ends images that the open transaction has locked. */
export async function cancelImages(tx: Tx, ids: string[]): Promise<Ended[]> {
  if (ids.length === 0) return [];
  const { rows } = await sql<{ id: string; batch_id: string }>`
    update images set state = 'canceled', finished_at = now(), run_at = null, worker = null, error_code = 'canceled',
      error_host = null, error_status = null
    where id = any(${ids}::uuid[])
    returning id, batch_id`.execute(tx);
  return rows.map(({ id, batch_id }) => ({ id, batchId: batch_id, state: 'canceled', bytesIn: 0, bytesOut: 0 }));
}
