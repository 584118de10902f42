// batch-watch.ts — `darkroom batch watch`: follows a batch of a server to its end, on stderr.

import { setTimeout as sleep } from 'node:timers/promises';
import { getBatch, type Batch } from '../../client/index.ts';
import type { Client } from '../../client/client/index.ts';
import type { WatchFlags } from './batch.ts';
import { openClient } from './remote.ts';
import { exitCodes, type Session } from './session.ts';

export async function watch(session: Session, id: string, { quiet, ...where }: WatchFlags): Promise<number> {
  const { client } = openClient(session, where);
  const stopping = new AbortController();
  const hearNoMore = session.onStop(() => stopping.abort());
  try {
    const batch = await followBatch(session, { client, id, quiet, signal: stopping.signal });
    return batch === undefined ? exitCodes.interrupted : codeOf(batch);
  } finally {
    hearNoMore();
  }
}

type Followed = {
  client: Client;
  id: string;
  quiet: boolean | undefined;
  signal: AbortSignal;
  /** Told of each look at it. */
  seen?(batch: Batch): Promise<void> | void;
};

const waitSeconds = 5;

/** Waits for the end and tells how far it is; undefined when `signal` ended it. */
export async function followBatch(session: Session, followed: Followed): Promise<Batch | undefined> {
  const { client, id, quiet, signal, seen } = followed;
  const { err } = session;
  const isTerminal = err.isTTY === true && !quiet;
  while (!signal.aborted) {
    const query = { wait: isTerminal ? 1 : waitSeconds };
    const batch = await getBatch<true>({ client, path: { id }, query, signal }).then(
      ({ data }) => data,
      (error: unknown) => {
        if (signal.aborted) return undefined;
        throw error;
      },
    );
    if (!batch) break;
    await seen?.(batch);
    const line = lineOf(batch);
    if (isTerminal) err.write(`\r${line}\u001b[K${batch.finished_at === null ? '' : '\n'}`);
    else if (!quiet) err.write(`${line}\n`);
    if (batch.finished_at !== null) return batch;
    // A server that answers at once, as one that is full of waiters does, is not to be asked without a pause.
    await sleep(250, undefined, { signal }).catch(() => {});
  }
  return undefined;
}

export const codeOf = ({ state }: Batch): number => (state === 'succeeded' ? exitCodes.ok : exitCodes.failed);

function lineOf({ state, counts, progress }: Batch): string {
  const parts = [
    `${progress.percent.toFixed(1).padStart(5)} %`,
    `${counts.total - counts.remaining}/${counts.total}`,
    state,
  ];
  if (counts.failed > 0) parts.push(`${counts.failed} failed`);
  if (progress.images_per_second !== null && counts.remaining > 0) parts.push(`${progress.images_per_second}/s`);
  if (progress.eta_seconds !== null && counts.remaining > 0) parts.push(`${progress.eta_seconds} s left`);
  return parts.join('  ');
}
