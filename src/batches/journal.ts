// journal.ts — writes down what happened, in the transaction in which it happened.
//
// Sequences are drawn in the order in which transactions start, but followers must read in the order in which they commit,
// or a resuming follower would skip what committed late. So writers take one lock just before the first event and hold it
// to the commit: number order is commit order. It must be the last lock that a transaction takes.

import { sql } from 'kysely';
import type { Tx } from '../db/database.ts';
import { tellingOf } from '../notify/events.ts';

export type NewEvent = {
  batchId: string;
  type: 'batch.created' | 'batch.finished' | 'images.settled';
  /** Which images ended, and how: one letter each, s f c. At most 100. */
  images?: { id: string; outcome: 's' | 'f' | 'c' }[];
};

export const journalLock = 8_315_001;

/** Writes the events and tells of them; owner and generation come from the batch. */
export async function writeEvents(tx: Tx, events: NewEvent[]): Promise<void> {
  if (events.length === 0) return;
  const rows = events.map(({ batchId, type, images }) => ({
    batch_id: batchId,
    type,
    images: images?.map((image) => image.id) ?? null,
    outcomes: images?.map((image) => image.outcome).join('') ?? null,
  }));
  // In the same statement: everybody else waits for the lock, and each round trip under it is theirs. A number is drawn for
  // a row that the join has given, and it gives none before the lock is held.
  await sql`
    with held as materialized (select pg_advisory_xact_lock(${journalLock})), written as (
      insert into events (seq, batch_id, owner, generation, type, images, outcomes)
      select nextval('event_numbers'), b.id, b.owner, b.generation, r.type, r.images, r.outcomes
      from held cross join
        jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as r(batch_id uuid, type text, images uuid[], outcomes text)
      join batches b on b.id = r.batch_id
    )
    select ${tellingOf(rows.map((row) => row.batch_id))}`.execute(tx);
}

/** Writes that a batch is gone, after it is: the deletion waits for locks, and this one must be the last. */
export async function writeDeleted(
  tx: Tx,
  { batchId, owner, generation }: { batchId: string; owner: string; generation: number },
): Promise<void> {
  await sql`select pg_advisory_xact_lock(${journalLock})`.execute(tx);
  await sql`
    insert into events (seq, batch_id, owner, generation, type)
    values (nextval('event_numbers'), ${batchId}, ${owner}, ${generation}, 'batch.deleted')`.execute(tx);
}
