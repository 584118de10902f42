// close.ts — ends batches whose last image has ended, and orders their webhook.
//
// Always called inside the transaction that ended an image, so that counters, end and delivery are one commit. A batch
// closes once per generation: the unique index events_once would refuse a second end. While rows are still being inserted
// or put back (`expand`, `retry`) nothing closes, or the batch would end between two chunks.

import { sql } from 'kysely';
import type { Tx } from '../db/database.ts';
import { tellDeliveries } from '../notify/events.ts';
import type { BatchState } from './model.ts';
import { newId } from './ids.ts';
import { writeEvents } from './journal.ts';

export type ClosedBatch = { id: string; state: BatchState; generation: number };

/** Closes those of the batches that are complete; returns them. Locks batches in id order. */
export async function closeBatches(tx: Tx, ids: string[]): Promise<ClosedBatch[]> {
  if (ids.length === 0) return [];
  const { rows } = await sql<ClosedBatch & { owner: string; webhook_url: string | null; webhook_format: string }>`
    with complete as (
      select id from batches
      where id = any(${ids}::uuid[]) and state in ('expanding', 'queued', 'running')
        and (chore is null or chore = 'cancel') and succeeded + failed + canceled >= total
      order by id
      for update
    )
    update batches b set
      finished_at = now(), chore = null, worker = null,
      state = case
        when b.canceled > 0 or b.total = 0 then 'canceled'
        when b.failed = 0 then 'succeeded'
        when b.succeeded = 0 then 'failed'
        else 'partially_succeeded' end
    from complete where b.id = complete.id
    returning b.id, b.state, b.generation, b.owner, b.webhook_url, b.webhook_format`.execute(tx);
  await writeEvents(
    tx,
    rows.map(({ id }) => ({ batchId: id, type: 'batch.finished' })),
  );
  for (const { id, generation, owner, webhook_url: url, webhook_format: format } of rows) {
    if (url === null) continue;
    // A URL that cannot be read is the delivery's failure; thrown here it would keep the batch from ending.
    const host = URL.parse(url)?.host ?? '';
    await tx
      .insertInto('deliveries')
      .values({ id: newId(), batch_id: id, generation, owner, url, host, format })
      .execute();
  }
  if (rows.some((row) => row.webhook_url !== null)) await tellDeliveries(tx);
  return rows.map(({ id, state, generation }) => ({ id, state, generation }));
}
