// chores.ts — work on whole batches: expand, retry, cancel, delete.
//
// A chore is claimed like an image: the row names its holder, `claims` is the fence, and a holder that died loses it to the
// next. Each walks in windows, so that no statement grows with the batch.

import { sql } from 'kysely';
import type { Uses } from '../app.ts';
import { cancelWaiting } from './cancel.ts';
import { deleteRows } from './delete.ts';
import { expandCatalog } from './expand.ts';
import { retryRows } from './retry.ts';
import { silentMs } from './reap.ts';

export type Chore = {
  batchId: string;
  kind: 'expand' | 'retry' | 'cancel' | 'delete';
  worker: string;
  /** The fence: raised by each claim. */
  claims: number;
  /** How far it has come: data rows (expand) or positions (retry). */
  row: number;
  position: number;
  filter: RetryFilter;
};

export type RetryFilter = { codes?: string[]; hosts?: string[]; imageIds?: string[] };

/**
 * Takes one chore that nobody alive holds. With `inHand`, the batches whose chores this worker is doing, it also takes up
 * what it only seems to hold: the answer to a claim, or the release after a failure, was lost with a connection. Those that
 * were claimed least come first: a chore that fails each time keeps no other waiting.
 */
export async function claimChore(
  { db }: Uses<'db'>,
  worker: string,
  inHand?: ReadonlySet<string>,
): Promise<Chore | undefined> {
  type Row = { id: string; chore: Chore['kind']; claims: number; chore_row: number; chore_filter: ChoreNotes | null };
  const { rows } = await sql<Row>`
    with c as (
      select id from batches b
      where chore is not null
        and (b.worker is null or (b.worker = ${worker} and id <> all(${inHand ? [...inHand] : null}::uuid[])) or not exists (
          select 1 from workers w where w.id = b.worker and w.seen_at > now() - ${silentMs} * interval '1 ms'))
        and id <> all(${[...(inHand ?? [])]}::uuid[])
      order by claims, id
      limit 1
      for update skip locked
    )
    update batches b set worker = ${worker}, claims = claims + 1 from c where b.id = c.id
    returning b.id, b.chore, b.claims, b.chore_row, b.chore_filter`.execute(db.query);
  const [row] = rows;
  if (!row) return undefined;
  const { position = 0, ...filter } = row.chore_filter ?? {};
  return { batchId: row.id, kind: row.chore, worker, claims: row.claims, row: row.chore_row, position, filter };
}

type ChoreNotes = RetryFilter & { position?: number };

/** Does the chore to its end, or throws the signal's reason; whoever claims it next goes on from the cursor. */
export async function runChore(
  app: Uses<'db' | 'storage' | 'config'>,
  chore: Chore,
  signal: AbortSignal,
): Promise<void> {
  const verbs = { expand: expandCatalog, retry: retryRows, cancel: cancelWaiting, delete: deleteRows };
  await verbs[chore.kind](app, chore, signal);
}

/** Gives one chore back after it failed; whoever claims it next goes on from the cursor. */
export async function releaseChore({ db }: Uses<'db'>, { batchId, worker, claims }: Chore): Promise<void> {
  await db.query
    .updateTable('batches')
    .set({ worker: null })
    .where('id', '=', batchId)
    .where('worker', '=', worker)
    .where('claims', '=', claims)
    .execute();
}

/** Gives the chores of a stopping worker back at once instead of after its silence. */
export async function releaseChores({ db }: Uses<'db'>, worker: string): Promise<void> {
  await db.query
    .updateTable('batches')
    .set({ worker: null })
    .where('worker', '=', worker)
    .where('chore', 'is not', null)
    .execute();
}
