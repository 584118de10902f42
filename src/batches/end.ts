// end.ts — what follows whenever images end, whoever ended them: counters, events, and perhaps the end of the batch.

import { sql } from 'kysely';
import type { Tx } from '../db/database.ts';
import { closeBatches, type ClosedBatch } from './close.ts';
import { writeEvents, type NewEvent } from './journal.ts';

export type Ended = {
  id: string;
  batchId: string;
  state: 'succeeded' | 'failed' | 'canceled';
  bytesIn: number;
  bytesOut: number;
};

const letters = { succeeded: 's', failed: 'f', canceled: 'c' } as const;
const idsPerEvent = 100;

/**
 * Counts the images that the open transaction has just ended, tells of them and closes what is complete. Images are locked
 * before batches, and both in id order: two settles that meet in one batch would otherwise wait for each other.
 */
export async function recordEnds(tx: Tx, ended: Ended[]): Promise<ClosedBatch[]> {
  if (ended.length === 0) return [];
  const byBatch = Map.groupBy(ended, (image) => image.batchId);
  const sums = [...byBatch].map(([id, images]) => ({
    id,
    succeeded: images.filter((image) => image.state === 'succeeded').length,
    failed: images.filter((image) => image.state === 'failed').length,
    canceled: images.filter((image) => image.state === 'canceled').length,
    bytes_in: images.reduce((sum, image) => sum + image.bytesIn, 0),
    bytes_out: images.reduce((sum, image) => sum + image.bytesOut, 0),
  }));
  await sql`
    with r as (
      select * from jsonb_to_recordset(${JSON.stringify(sums)}::jsonb)
        as r(id uuid, succeeded int, failed int, canceled int, bytes_in bigint, bytes_out bigint)
    ), locked as (
      select id from batches where id in (select id from r) order by id for update
    )
    update batches b set
      succeeded = b.succeeded + r.succeeded, failed = b.failed + r.failed, canceled = b.canceled + r.canceled,
      bytes_in = b.bytes_in + r.bytes_in, bytes_out = b.bytes_out + r.bytes_out
    from r join locked using (id) where b.id = r.id`.execute(tx);
  await writeEvents(
    tx,
    [...byBatch].flatMap(([batchId, images]) => settledEvents(batchId, images)),
  );
  return closeBatches(tx, [...byBatch.keys()]);
}

/** The events that tell of these images, some in each. */
export function settledEvents(batchId: string, images: Pick<Ended, 'id' | 'state'>[]): NewEvent[] {
  const events: NewEvent[] = [];
  for (let from = 0; from < images.length; from += idsPerEvent) {
    const some = images.slice(from, from + idsPerEvent);
    events.push({
      batchId,
      type: 'images.settled',
      images: some.map(({ id, state }) => ({ id, outcome: letters[state] })),
    });
  }
  return events;
}
