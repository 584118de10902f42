// limit.ts — how fast it can be at all: bare sharp from files (L0), from HTTP (L1), and our sandbox alone (LS).
//
// L0 is the physical limit on these cores, L1 that of anything which gets its bytes by HTTP, and LS ÷ L0 the price of
// decoding in children. The rows T5s come from here.

import { openBare, outputFolder, outputs, passesOf, type Lapper } from './lib/bare.ts';
import { listenForNoise } from './lib/noise.ts';
import { compare, cpuPerImage, imagesPerSecond, interleave, median, usualCpu, type Lap } from './lib/pairs.ts';
import { cpuOfTree } from './lib/proc.ts';
import { guardIdentical } from './lib/quality.ts';
import type { Side } from './lib/side.ts';
import { repeated, type Stage } from './lib/stage.ts';
import { digits, judge, printed, shown, skipped, type Row } from './lib/table.ts';
import { chooseOperations, type Operation } from './operations.ts';
import type { BoxedRequests } from './sides/boxed.ts';
import { targets } from './targets.ts';

/** L0, L1 and LS of each operation, and what the sandbox costs. */
export async function rows(stage: Stage): Promise<Row[]> {
  const found: Row[] = [];
  const boxed = await openBoxed(stage);
  for (const operation of chooseOperations(stage.options.ops, stage.options.efforts))
    for (const inFlight of stage.options.inFlight.length > 0 ? stage.options.inFlight : [stage.slots])
      found.push(...(await ofOperation(stage, operation, inFlight, boxed)));
  await boxed?.stop();
  return found;
}

async function ofOperation(
  stage: Stage,
  operation: Operation,
  inFlight: number,
  boxed: Side<BoxedRequests> | undefined,
) {
  stage.log(`limit: ${operation.what}, ${inFlight} in flight`);
  const usual = inFlight === stage.slots;
  const bare = await openBare(stage, operation, inFlight);
  const sides: Record<string, Lapper> = { L0: bare.L0, L1: bare.L1 };
  if (boxed && usual) sides.LS = boxedLap(stage, operation, boxed);
  for (const lap of Object.values(sides)) await lap(-1); // also the warm-up: sharp, its caches and the pages of its code
  const hush = listenForNoise();
  const laps = await interleave(sides, stage.options.pairs);
  const noise = hush();
  await bare.stop();
  return limitRows(stage, operation, { laps, noise, inFlight });
}

type Limits = { laps: Partial<Record<string, Lap[]>>; noise: number; inFlight: number };

/** L0, L1, LS and what the sandbox costs, from laps that were run in turns. */
export async function limitRows(stage: Stage, operation: Operation, { laps, noise, inFlight }: Limits): Promise<Row[]> {
  const usual = inFlight === stage.slots;
  const label = usual ? operation.what : `${operation.what}, ${inFlight} in flight`;
  const limits = (['L0', 'L1'] as const).map((side) => limitRow(side, label, laps[side] ?? [], noise));
  const target = targets.find((each) => each.id === `T5s-${operation.key}`);
  if (!target || !usual) return limits;
  if (!laps.LS) return [...limits, skipped(target.id, 'the sandbox could not be opened')];
  const guard = await guardIdentical(await outputs(stage, operation, 'LS'), await outputs(stage, operation, 'L0'));
  const comparison = compare(laps.LS, laps.L0 ?? [], cpuPerImage);
  const refused = guard.ok ? undefined : `${guard.faults.length} results differ, first: ${guard.faults[0]}`;
  const row = judge(
    { id: target.id, ...shown(comparison), against: 'L0', noise, cpuMs: usualCpu(laps.LS) },
    { reference: stage.reference, refused },
  );
  return [...limits, limitRow('LS', label, laps.LS, noise), row];
}

/** Our sandbox without the house; undefined where it cannot be opened. */
export async function openBoxed(stage: Stage): Promise<Side<BoxedRequests> | undefined> {
  const side = stage.side<BoxedRequests>('sides/boxed.ts');
  try {
    await side.ask('open', { slots: stage.slots });
    return side;
  } catch (error) {
    stage.log(`limit: no sandbox (${(error as Error).message.split('\n')[0]})`);
    await side.stop();
    return undefined;
  }
}

export function boxedLap(stage: Stage, operation: Operation, side: Side<BoxedRequests>): Lapper {
  const paths = stage.corpus.photos.map((photo) => photo.path);
  return async (round) => {
    const sources = repeated(paths, passesOf(operation, round));
    const before = cpuOfTree(side.pid);
    const { pipeline, effort } = operation;
    const out = outputFolder(stage, operation, 'LS');
    const { wallMs, bytes } = await side.ask('lap', { pipeline, effort, sources, out });
    const after = cpuOfTree(side.pid);
    const cpu = { worker: after.rootMs - before.rootMs, children: after.restMs - before.restMs };
    return { images: sources.length, wallMs, bytes, cpu };
  };
}

function limitRow(side: string, label: string, laps: Lap[], noise: number): Row {
  const speeds = laps.map(imagesPerSecond);
  const cpu = median(laps.map(cpuPerImage));
  const [speed, min, max] = [median(speeds), Math.min(...speeds), Math.max(...speeds)];
  const figures = { ours: speed, figure: speed, min, max, n: laps.length, noise };
  const children = median(laps.map((lap) => (lap.cpu.children ?? 0) / lap.images));
  const split = side === 'LS' ? `, ${digits(children)} of them in children` : '';
  return printed({ id: side, what: label, unit: 'img/s', ...figures, note: `${digits(cpu)} CPU-ms per image${split}` });
}
