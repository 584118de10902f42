// recovery.ts — how long the product needed to go on after each fault, read from the rows when all is over.
//
// After the death of a process: until what it held has ended. After the fault of a server: until the next image ends.

import type { Fault } from './faults.ts';
import type { Servers } from './servers.ts';
import type { ImageRow } from './snapshot.ts';

/** A fault that has passed at `at` (ms of this machine's clock); `held` were in the hands of its victim. */
export type Passed = { fault: Fault; at: number; held: string[] };

export type Recovery = { p95: number; max: number };

/** What the process with this pid works on; empty where nobody can be asked. */
export async function heldBy(servers: Servers, pid: number): Promise<string[]> {
  const rows = await servers
    .ask<{ id: string }>(
      `select i.id from images i join workers w on w.id = i.worker where i.state = 'running' and w.pid = $1`,
      [pid],
    )
    .catch(() => []);
  return rows.map(({ id }) => id);
}

export function recoveriesOf(passed: Passed[], images: ImageRow[]): Recovery {
  const endOf = new Map(images.map(({ id, finished_at }) => [id, finished_at?.getTime() ?? Number.NaN]));
  const ends = [...endOf.values()].filter((end) => !Number.isNaN(end)).toSorted((a, b) => a - b);
  const waits = passed.flatMap(({ at, held }) => {
    const until = held.length > 0 ? held.map((id) => endOf.get(id) ?? Number.NaN) : [ends.find((end) => end > at)];
    return until.flatMap((end) => (end === undefined || Number.isNaN(end) || end < at ? [] : [(end - at) / 1_000]));
  });
  const sorted = waits.toSorted((a, b) => a - b);
  const round = (seconds: number | undefined): number => Number((seconds ?? 0).toFixed(1));
  return { p95: round(sorted[Math.ceil(sorted.length * 0.95) - 1]), max: round(sorted.at(-1)) };
}
