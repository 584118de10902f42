// e2e.ts — a catalog through the whole house, against the same pictures by hand.
//
// Rows T1-T3 (images per second of L0), T4 (of L1), T5 (CPU per image of L0) and T19 (memory). The three sides run in
// turns, each on its own salt of the same pictures, and what the server made must equal what L0 made.

import { openBare, outputs, passesOf } from './lib/bare.ts';
import { listenForNoise } from './lib/noise.ts';
import { fetchResults, runCatalog, writeCatalog } from './lib/catalog.ts';
import { compare, cpuPerImage, imagesPerSecond, interleave, leastLapCpuMs, totalCpu, type Lap } from './lib/pairs.ts';
import { watchMemory } from './lib/proc.ts';
import { postgresMissing } from './lib/postgres.ts';
import { guardIdentical } from './lib/quality.ts';
import { cpuSince, startDarkroom, type Darkroom, type Engine } from './lib/server.ts';
import type { Source, Stage } from './lib/stage.ts';
import { digits, judge, printed, shown, skipped, type Row } from './lib/table.ts';
import { chooseOperations, type Operation } from './operations.ts';

const speedRow: Record<string, string> = { a: 'T1a', f: 'T1f', b: 'T2', c: 'T3' };

export async function rows(stage: Stage): Promise<Row[]> {
  const found: Row[] = [];
  for (const engine of enginesOf(stage))
    for (const operation of chooseOperations(stage.options.ops, stage.options.efforts))
      if (operation.key in speedRow) found.push(...(await ofOperation(stage, engine, operation)));
  return found;
}

function enginesOf(stage: Stage): Engine[] {
  const asked = stage.options.engines.filter((each) => each === 'embedded' || each === 'postgres');
  return asked.length > 0 ? asked : ['embedded', 'postgres'];
}

async function ofOperation(stage: Stage, engine: Engine, operation: Operation): Promise<Row[]> {
  stage.log(`e2e: ${operation.what}, ${engine}`);
  const source = await stage.source();
  const server = await startDarkroom(stage, engine, {
    DARKROOM_PIPELINE: operation.pipeline,
    DARKROOM_EFFORT: operation.effort,
  });
  if (!server) return rowsOf(operation).map((id) => skipped(id, postgresMissing));
  stage.defer(() => server.stop());
  const bare = await openBare(stage, operation);
  try {
    let last = '';
    const house = async (round: number) => {
      const lap = await houseLap(server, catalogOf(source, operation, round));
      last = lap.id;
      return lap;
    };
    for (const lap of [bare.L0, bare.L1, house]) await lap(-1);
    const hush = listenForNoise();
    const laps = await interleave({ L0: bare.L0, L1: bare.L1, house }, stage.options.pairs);
    const noise = hush();
    const guard = await guardIdentical(await fetchResults(server, last), await outputs(stage, operation, 'L0'));
    const refused = guard.ok ? undefined : `${guard.faults.length} results differ, first: ${guard.faults[0]}`;
    const pssMb = await memoryOf(server, catalogOf(source, operation, stage.options.pairs));
    return judged(stage, operation, engine, laps, { noise, pssMb, refused, kept: guard.kept });
  } finally {
    await bare.stop();
    await server.stop();
  }
}

/** The rows of one operation, in the order in which they are printed. */
const rowsOf = ({ key }: Operation): string[] => [speedRow[key] ?? '', `T4${key}`, `T5${key}`];

type Facts = { noise: number; pssMb: number; refused: string | undefined; kept: number };

function judged(
  stage: Stage,
  operation: Operation,
  engine: Engine,
  laps: Record<'L0' | 'L1' | 'house', Lap[]>,
  { noise, pssMb, refused, kept }: Facts,
): Row[] {
  const [speed = '', fetched = '', cpu = ''] = rowsOf(operation);
  const { cpu: cpuMs, images } = laps.house.at(-1) ?? { cpu: { worker: 0 }, images: 1 };
  const short = totalCpu(cpuMs) < leastLapCpuMs ? 'laps under two CPU-seconds' : '';
  const note = [short, kept > 0 ? `${kept} sources kept` : ''].filter(Boolean).join(', ');
  const common = { engine, noise, ...(note && { note }) };
  const split = Object.entries(cpuMs).map(([name, ms]) => `${name} ${digits(ms / images)}`);
  const rules = { reference: stage.reference, refused };
  const against = (side: 'L0' | 'L1', figure: (lap: Lap) => number) => ({
    ...shown(compare(laps.house, laps[side], figure)),
    against: side,
  });
  return [
    judge({ id: speed, ...against('L0', imagesPerSecond), ...common }, rules),
    judge({ id: fetched, ...against('L1', imagesPerSecond), ...common }, rules),
    judge(
      {
        id: cpu,
        ...against('L0', cpuPerImage),
        ...common,
        note: [split.join(', '), note].filter(Boolean).join('; '),
        cpuMs,
        pssMb,
      },
      rules,
    ),
    memoryRow(operation, engine, noise, pssMb, rules),
  ];
}

/** The embedded database lives in the server's process, so its memory is printed but is not the row's. */
function memoryRow(
  operation: Operation,
  engine: Engine,
  noise: number,
  pssMb: number,
  rules: { reference: boolean },
): Row {
  const id = operation.key === 'a' ? 'T19-balanced' : 'T19-fast';
  const figures = { ours: pssMb, figure: pssMb, min: pssMb, max: pssMb, n: 1, noise };
  if (engine === 'postgres')
    return { ...judge({ id, ...figures, engine }, rules), what: `${operation.what}, peak Σ PSS` };
  return printed({ id: 'memory', what: `${operation.what}, peak Σ PSS; embedded`, unit: 'MB', ...figures });
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
