// e2e.ts — a catalog through the whole house, against the same pictures by hand.
//
// Rows T1-T3 (images per second of L0), T4 (of L1), T5 (CPU per image of L0) and T19 (memory). The three sides run in
// turns, each on its own salt of the same pictures, and what the server made must equal what L0 made.

import { enginesOf, missingFor, type Engine } from './lib/backing.ts';
import { openBare, outputs, passesOf, type Lapper } from './lib/bare.ts';
import { listenForNoise } from './lib/noise.ts';
import { fetchResults, runCatalog, writeCatalog } from './lib/catalog.ts';
import { compare, cpuPerImage, imagesPerSecond, interleave, leastLapCpuMs, totalCpu, usualCpu } from './lib/pairs.ts';
import type { Lap } from './lib/pairs.ts';
import { watchMemory } from './lib/proc.ts';
import { guardIdentical, type Guard } from './lib/quality.ts';
import { cpuSince, onDarkroom, type Darkroom } from './lib/server.ts';
import type { Side } from './lib/side.ts';
import type { Source, Stage } from './lib/stage.ts';
import { digits, judge, printed, shown, skipped, type Row } from './lib/table.ts';
import { boxedLap, limitRows, openBoxed } from './limit.ts';
import { chooseOperations, type Operation } from './operations.ts';
import type { BoxedRequests } from './sides/boxed.ts';

const speedRow: Record<string, string> = { a: 'T1a', f: 'T1f', b: 'T2', c: 'T3' };

export async function rows(stage: Stage): Promise<Row[]> {
  const { engines, ops, efforts, withLimits } = stage.options;
  const boxed = withLimits ? await openBoxed(stage) : undefined;
  const found: Row[] = [];
  for (const [index, engine] of enginesOf(engines, ['embedded', 'postgres']).entries())
    for (const operation of chooseOperations(ops, efforts).filter(({ key }) => key in speedRow)) {
      // The limits are the same whatever we stand on.
      const beside = { boxed, limits: withLimits && index === 0 };
      const name = `e2e, ${operation.what}, ${engine}`;
      found.push(...(await stage.attempt(name, () => ofOperation(stage, engine, operation, beside))));
    }
  await boxed?.stop();
  return found;
}

type Beside = { boxed: Side<BoxedRequests> | undefined; limits: boolean };

async function ofOperation(stage: Stage, engine: Engine, operation: Operation, { boxed, limits }: Beside) {
  stage.log(`e2e: ${operation.what}, ${engine}`);
  const source = await stage.source();
  const settings = { DARKROOM_PIPELINE: operation.pipeline, DARKROOM_EFFORT: operation.effort };
  const found = await onDarkroom(stage, { engine, settings }, async (server) => {
    const bare = await openBare(stage, operation);
    try {
      let last = '';
      const house = async (round: number) => {
        const lap = await houseLap(server, catalogOf(source, operation, round));
        last = lap.id;
        return lap;
      };
      const sides: Record<string, Lapper> = { L0: bare.L0, L1: bare.L1, house };
      if (boxed && limits) sides.LS = boxedLap(stage, operation, boxed);
      // What is hot is compiled within the first hundreds of pictures; of a catalog of thousands that is nothing.
      for (const round of [-3, -2, -1]) for (const lap of Object.values(sides)) await lap(round);
      const hush = listenForNoise();
      const laps = await interleave(sides, stage.options.pairs);
      const noise = hush();
      const guard = await guardIdentical(await fetchResults(server, last), await outputs(stage, operation, 'L0'));
      const pssMb = await memoryOf(server, catalogOf(source, operation, stage.options.pairs));
      const facts = { laps, noise, inFlight: stage.slots };
      return [
        ...(limits ? await limitRows(stage, operation, facts) : []),
        ...judged(stage, operation, engine, { laps, noise, pssMb, guard }),
      ];
    } finally {
      await bare.stop();
    }
  });
  return found ?? rowsOf(operation).map((id) => skipped(id, missingFor(engine)));
}

/** The rows of one operation, in the order in which they are printed. */
const rowsOf = ({ key }: Operation): string[] => [speedRow[key] ?? '', `T4${key}`, `T5${key}`];

type Facts = { laps: Record<string, Lap[]>; noise: number; pssMb: number; guard: Guard };

function judged(stage: Stage, operation: Operation, engine: Engine, { laps, noise, pssMb, guard }: Facts): Row[] {
  const [speed = '', fetched = '', cpu = ''] = rowsOf(operation);
  const { house = [], L0 = [], L1 = [] } = laps;
  const cpuMs = usualCpu(house);
  const short = house.some((lap) => totalCpu(lap.cpu) < leastLapCpuMs) ? 'laps under two CPU-seconds' : '';
  const split = Object.entries(cpuMs).map(([name, ms]) => `${name} ${digits(ms)}`);
  const refused = guard.ok ? undefined : `${guard.faults.length} results differ, first: ${guard.faults[0]}`;
  const rules = { reference: stage.reference, refused };
  const common = { engine, noise, ...(short && { note: short }) };
  const against = (side: 'L0' | 'L1', figure: (lap: Lap) => number) => ({
    ...shown(compare(house, side === 'L0' ? L0 : L1, figure)),
    against: side,
    ...common,
  });
  const quality = { of: operation.what, identical: guard.identical, kept: guard.kept, bytes: guard.bytes };
  const note = [split.join(', '), short].filter(Boolean).join('; ');
  return [
    judge({ id: speed, ...against('L0', imagesPerSecond) }, rules),
    judge({ id: fetched, ...against('L1', imagesPerSecond) }, rules),
    judge({ id: cpu, ...against('L0', cpuPerImage), note, cpuMs, pssMb, quality }, rules),
    memoryRow(operation, engine, { noise, pssMb, rules }),
  ];
}

/** The embedded database lives in the server's process, so its memory is printed but is not the row's. */
function memoryRow(
  operation: Operation,
  engine: Engine,
  { noise, pssMb, rules }: { noise: number; pssMb: number; rules: { reference: boolean } },
): Row {
  const id = operation.key === 'a' ? 'T19-balanced' : 'T19-fast';
  const figures = { ours: pssMb, figure: pssMb, min: pssMb, max: pssMb, n: 1, noise };
  if (engine === 'postgres')
    return { ...judge({ id, ...figures, engine }, rules), what: `${operation.what}, peak Σ PSS` };
  return printed({ id: 'memory', what: `${operation.what}, peak Σ PSS; ${engine}`, unit: 'MB', ...figures });
}

function catalogOf(source: Source, operation: Operation, round: number): string[] {
  const passes = Array.from({ length: passesOf(operation, round) }, (_, pass) => pass);
  return passes.flatMap((pass) => source.urls(`${operation.key}-${round}-${pass}`));
}

async function houseLap(server: Darkroom, urls: string[]): Promise<Lap & { id: string }> {
  const before = server.cpu();
  const { id, failed, total, wallMs } = await runCatalog(server, writeCatalog(urls));
  if (failed > 0 || total !== urls.length) throw new Error(`${failed} of ${total} images failed (${urls.length} sent)`);
  return { id, images: total, wallMs, cpu: cpuSince(server.cpu(), before) };
}

/** A lap of its own: looking at smaps ten times a second would be in the other figures. */
async function memoryOf(server: Darkroom, urls: string[]): Promise<number> {
  const watch = watchMemory(server.pids.slice(0, 1));
  await houseLap(server, urls);
  return watch.stop();
}
