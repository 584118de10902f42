// windows.ts — walks over a batch in windows of positions, so that no statement grows with the batch.
//
// A window is a range of the index (batch_id, position). Searching the whole batch for the next rows that matter would
// cost as much each time as the batch is long. Between windows others get at the event loop.

import { setImmediate } from 'node:timers/promises';
import type { Uses } from '../app.ts';

/** Positions after `from` up to and with `to`. */
export type Window = { from: number; to: number };

/** The windows of the batch after position `from`, until `signal` aborts, which throws. */
export async function* windowsOf(
  { db }: Uses<'db'>,
  batchId: string,
  { from, signal }: { from: number; signal: AbortSignal },
): AsyncGenerator<Window> {
  const last = await lastPosition({ db }, batchId);
  for (let start = from; start < last; start += db.rowsPerStatement) {
    signal.throwIfAborted();
    yield { from: start, to: start + db.rowsPerStatement };
    await setImmediate();
  }
}

async function lastPosition({ db }: Uses<'db'>, batchId: string): Promise<number> {
  const row = await db.query
    .selectFrom('images')
    .select('position')
    .where('batch_id', '=', batchId)
    .orderBy('position', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.position ?? 0;
}
