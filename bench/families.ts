// families.ts — the programs that make the rows, in the order in which they run, and about how long each takes.
//
// Each is loaded when it is asked for: some need parts that others do without. `limit` makes no run of its own where the
// end-to-end rows are measured, too: they take the sandbox alone along.

import type { Stage } from './lib/stage.ts';
import type { Row } from './lib/table.ts';
import type { Family } from './targets.ts';

export type Program = { rows(stage: Stage): Promise<Row[]> };

export const programs: Record<Family, () => Promise<Program>> = {
  limit: () => import('./limit.ts'),
  e2e: () => import('./e2e.ts'),
  egress: () => import('./egress.ts'),
  tiny: () => import('./tiny.ts'),
  rows: () => import('./rows.ts'),
  latency: () => import('./latency.ts'),
  renditions: () => import('./renditions.ts'),
  dedupe: () => import('./dedupe.ts'),
  start: () => import('./start.ts'),
  scale: () => import('./scale.ts'),
  crash: () => import('./crash.ts'),
  peer: () => import('./peer.ts'),
  soak: () => import('./soak.ts'),
};

export const families = Object.keys(programs) as Family[];

/** What a change to a hot path should look at. */
export const quick: Family[] = ['e2e', 'egress', 'renditions', 'tiny', 'rows', 'latency'];
/** `e2e` brings the rows of `limit` along. */
export const full = families.filter((family) => family !== 'limit');

/** Minutes on two quiet cores, quick and full. */
export const minutes: Record<Family, [quick: number, full: number]> = {
  limit: [1.4, 2],
  e2e: [1.6, 11],
  egress: [0.1, 0.3],
  tiny: [0.2, 1],
  rows: [0.2, 5],
  latency: [0.5, 4],
  renditions: [0.4, 2],
  dedupe: [0.5, 1],
  start: [0.3, 0.5],
  scale: [0.6, 1.5],
  crash: [0.8, 2],
  peer: [4, 8],
  soak: [2, 5],
};
