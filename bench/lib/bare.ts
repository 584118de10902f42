// bare.ts — the harness's end of sides/bare.ts: laps of L0 and L1, and what they wrote.

import { readFile } from 'node:fs/promises';
import { join, parse } from 'node:path';
import type { Operation } from '../operations.ts';
import type { BareLap, BareRequests } from '../sides/bare.ts';
import type { Lap } from './pairs.ts';
import { cpuOfTree } from './proc.ts';
import type { Output } from './quality.ts';
import type { Side } from './side.ts';
import { repeated, type Stage } from './stage.ts';

/** Round -1 warms up, the others count. */
export type Lapper = (round: number) => Promise<Lap>;
export type Bare = { L0: Lapper; L1: Lapper; stop(): Promise<void> };

/** Both bare sides as processes of their own. */
export async function openBare(stage: Stage, operation: Operation, inFlight = stage.slots): Promise<Bare> {
  const source = await stage.source();
  // Both must be set before Node starts. More in flight than threads would measure the thread pool.
  const environment = { MALLOC_ARENA_MAX: '2', UV_THREADPOOL_SIZE: String(Math.max(4, inFlight + 1)) };
  const paths = stage.corpus.photos.map((photo) => photo.path);
  const [files, http] = [0, 1].map(() => stage.side<BareRequests>('sides/bare.ts', environment)) as [
    BareSide,
    BareSide,
  ];
  const lap = (side: BareSide, name: 'L0' | 'L1', sources: string[]) =>
    bareLap(side, {
      op: operation.key,
      sources,
      from: name === 'L0' ? 'files' : 'http',
      inFlight,
      out: outputFolder(stage, operation, name),
    });
  return {
    L0: (round) => lap(files, 'L0', repeated(paths, passesOf(operation, round))),
    L1: (round) => lap(http, 'L1', repeated(source.urls(`L1-${round}`), passesOf(operation, round))),
    stop: async () => void (await Promise.all([files.stop(), http.stop()])),
  };
}

type BareSide = Side<BareRequests>;

/** One lap of a side that is open already. */
export async function bareLap(side: BareSide, lap: BareLap): Promise<Lap> {
  const before = cpuOfTree(side.pid).allMs;
  const { wallMs, bytes } = await side.ask('lap', lap);
  return { images: lap.sources.length, wallMs, bytes, cpu: { worker: cpuOfTree(side.pid).allMs - before } };
}

/** One pass to warm up; as many as two CPU-seconds need where it counts. */
export const passesOf = (operation: Operation, round: number): number => (round < 0 ? 1 : operation.passes);

export const outputFolder = (stage: Stage, operation: Operation, side: string): string =>
  join(stage.folder, 'out', `${operation.key}-${side}`);

/** What a bare or boxed side wrote, by the name of its source. */
export async function outputs(stage: Stage, operation: Operation, side: 'L0' | 'L1' | 'LS'): Promise<Output[]> {
  const folder = outputFolder(stage, operation, side);
  return Promise.all(
    stage.corpus.photos.map(async ({ name, bytes }) => {
      const stem = parse(name).name;
      const body = await readFile(join(folder, `${stem}.${operation.extension}`));
      return { name: stem, body, sourceBytes: bytes };
    }),
  );
}
