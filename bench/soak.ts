// soak.ts — the memory of a worker that works without a pause: how fast it grows.
//
// Row T19-slope: server and children on PostgreSQL, looked at every half second, a line through the second half. A child
// grows and is replaced, so single looks jump; the line is through the medians of ten-second windows.

import { setTimeout as sleep } from 'node:timers/promises';
import { missingFor } from './lib/backing.ts';
import { runCatalog, writeCatalog } from './lib/catalog.ts';
import { listenForNoise } from './lib/noise.ts';
import { median } from './lib/pairs.ts';
import { pssOfTrees } from './lib/proc.ts';
import { onDarkroom, type Darkroom } from './lib/server.ts';
import type { Stage } from './lib/stage.ts';
import { digits, judge, skipped, type Row } from './lib/table.ts';

const lookMs = 500;
const windowMs = 10_000;

type Look = { atMs: number; mb: number };

export async function rows(stage: Stage): Promise<Row[]> {
  const { minutes } = stage.options;
  stage.log(`soak: ${minutes} minutes`);
  const settings = { DARKROOM_PIPELINE: 'fit:800x600/jpeg:80', DARKROOM_LOG_LEVEL: 'warn' };
  const found = await onDarkroom(stage, { engine: 'postgres', settings }, async (server) => {
    const hush = listenForNoise();
    const { looks, images } = await soak(stage, server, minutes * 60_000);
    return judged(looks, images, hush());
  });
  return found ?? [skipped('T19-slope', missingFor('postgres'))];
}

async function soak(stage: Stage, server: Darkroom, ms: number): Promise<{ looks: Look[]; images: number }> {
  const source = await stage.source();
  const begin = performance.now();
  const isOver = () => performance.now() - begin > ms;
  const looks: Look[] = [];
  let images = 0;
  const look = async () => {
    for (; !isOver(); await sleep(lookMs))
      looks.push({ atMs: performance.now() - begin, mb: pssOfTrees(server.pids.slice(0, 1)) });
  };
  const work = async () => {
    for (let round = 0; !isOver(); round++) {
      const { total, failed } = await runCatalog(server, writeCatalog(source.urls(`soak-${round}`)));
      if (failed > 0) throw new Error(`${failed} of ${total} images failed`);
      images += total;
    }
  };
  await Promise.all([look(), work()]);
  return { looks, images };
}

function judged(looks: Look[], images: number, noise: number): Row[] {
  const end = looks.at(-1)?.atMs ?? 0;
  const windows = [...Map.groupBy(looks, ({ atMs }) => Math.floor(atMs / windowMs))]
    .map(([index, some]) => ({ atMs: index * windowMs, mb: median(some.map(({ mb }) => mb)) }))
    .filter(({ atMs }) => atMs >= end / 2);
  const slope = slopeOf(windows) * 60_000;
  const all = windows.map(({ mb }) => mb);
  const note = `${images} images; second half ${digits(Math.min(...all))}-${digits(Math.max(...all))} MB`;
  const figures = { ours: slope, figure: slope, min: slope, max: slope, n: 1, noise };
  return [judge({ id: 'T19-slope', ...figures, note }, { reference: true })];
}

/** Of the line with the least squares, in MB per ms. */
export function slopeOf(looks: Look[]): number {
  const mean = (values: number[]) => values.reduce((sum, each) => sum + each, 0) / values.length;
  const [x, y] = [mean(looks.map(({ atMs }) => atMs)), mean(looks.map(({ mb }) => mb))];
  const over = looks.reduce((sum, { atMs, mb }) => sum + (atMs - x) * (mb - y), 0);
  const under = looks.reduce((sum, { atMs }) => sum + (atMs - x) ** 2, 0);
  return under === 0 ? Number.NaN : over / under;
}
