// rows.ts — what a catalog costs besides its pictures: T16 (read, validate, insert), T17 (claim, settle), T18 (output).
//
// Each size runs on a fresh database in a fresh process, so that its peak of memory is its own. The largest size makes the
// rows with gates; smaller ones are printed. There is no rival here: the figures are absolute, and need a quiet machine.
// The memory of T18 is that of a real server without a worker, which takes the catalog by HTTP and hands its output out.

import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { startApi } from './lib/api.ts';
import { listenForNoise } from './lib/noise.ts';
import { median } from './lib/pairs.ts';
import { postgresMissing, startPostgres } from './lib/postgres.ts';
import { cpuOfTree, watchMemory } from './lib/proc.ts';
import type { Side } from './lib/side.ts';
import type { Stage } from './lib/stage.ts';
import { digits, judge, printed, skipped, type Row } from './lib/table.ts';
import type { RowsRequests } from './sides/rows.ts';
import { targets } from './targets.ts';

type Engine = 'pglite' | 'postgres';
/** By repetition. CPU counts server and database; it stays true when the machine is busy with something else. */
type Figures = {
  count: number;
  noise: number;
  acceptUs: number[];
  acceptCpuUs: number[];
  receiveUs: number[];
  stallMs: number[];
  outputUs: number[];
  outputCpuUs: number[];
  perSecond: number;
  settleCpuUs: number;
  /** Everything in one process: receiving, expanding, settling, writing. */
  pssMb: number;
  /** A server that only answers HTTP; PostgreSQL alone, PGlite serves and works in one. */
  apiMb: number | undefined;
};
type RowsSide = Side<RowsRequests>;

export async function rows(stage: Stage): Promise<Row[]> {
  const { counts: asked, brief, thorough } = stage.options;
  const usual = [1000, 10_000, ...(brief ? [] : [100_000]), ...(thorough ? [1_000_000] : [])];
  const counts = asked.length > 0 ? asked : usual;
  const found: Row[] = [];
  for (const engine of enginesOf(stage)) {
    const sizes: Figures[] = [];
    for (const count of counts.toSorted((a, b) => a - b)) {
      stage.log(`rows: ${count} on ${engine}`);
      const measured = await measure(stage, engine, count);
      if (measured) sizes.push(measured);
    }
    found.push(...(sizes.length > 0 ? judged(engine, sizes) : missing(engine)));
  }
  return found;
}

function enginesOf(stage: Stage): Engine[] {
  const named: Record<string, Engine> = { pglite: 'pglite', embedded: 'pglite', postgres: 'postgres' };
  const asked = stage.options.engines.map((each) => named[each]).filter((each) => each !== undefined);
  return asked.length > 0 ? asked : ['pglite', 'postgres'];
}

async function measure(stage: Stage, engine: Engine, count: number): Promise<Figures | undefined> {
  const postgres = engine === 'postgres' ? await startPostgres(stage.options) : undefined;
  if (engine === 'postgres' && !postgres) return undefined;
  const folder = await mkdtemp(join(stage.folder, 'rows-'));
  const side = stage.side<RowsRequests>('sides/rows.ts', { DARKROOM_LOG_LEVEL: 'silent' });
  try {
    await side.ask('open', { dataDir: folder, databaseUrl: postgres?.url ?? '' });
    await warmUp(side, folder);
    const pids = [side.pid, ...(postgres ? [postgres.pid] : [])];
    const hush = listenForNoise();
    const { ids, ...measured } = await ask(stage, side, { folder, count, pids });
    const apiMb = postgres && (await peakOfApi(join(folder, 'catalog.csv'), { folder, url: postgres.url, id: ids[0] }));
    const noise = hush();
    await side.ask('close', {});
    return { ...measured, apiMb, noise };
  } finally {
    await side.stop();
    await postgres?.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** A server of its own on the same database: the catalog goes in once more, the output of the first comes out. */
async function peakOfApi(file: string, { folder, url, id = '' }: { folder: string; url: string; id?: string }) {
  const api = await startApi(folder, url);
  try {
    const memory = watchMemory([api.pid]);
    await api.upload(file);
    await api.download(id);
    return memory.stop();
  } finally {
    await api.stop();
  }
}

type Asking = { folder: string; count: number; pids: number[] };

type Asked = Omit<Figures, 'noise' | 'apiMb'> & { ids: string[] };

async function ask(stage: Stage, side: RowsSide, { folder, count, pids }: Asking): Promise<Asked> {
  const file = join(folder, 'catalog.csv');
  await writeCatalog(file, count);
  const cpu = () => pids.reduce((sum, pid) => sum + cpuOfTree(pid).allMs, 0);
  const memory = watchMemory([side.pid]);
  const inserted = await inserting(side, { file, count, repeats: count >= 100_000 ? 1 : stage.options.pairs, cpu });
  const begin = cpu();
  const { images, wallMs } = await side.ask('work', { images: Math.min(count, 10_000) });
  const settleCpuUs = ((cpu() - begin) * 1000) / images;
  const peak = memory.stop();
  const written = { outputUs: [] as number[], outputCpuUs: [] as number[], pssMb: peak };
  for (const id of inserted.ids) {
    await side.ask('finish', { id });
    const before = cpu();
    const output = watchMemory([side.pid]);
    const { lines, wallMs: ms } = await side.ask('write', { id });
    if (lines !== count + 1) throw new Error(`the output has ${lines} lines for ${count} rows`);
    written.outputUs.push((ms * 1000) / count);
    written.outputCpuUs.push(((cpu() - before) * 1000) / count);
    written.pssMb = Math.max(written.pssMb, output.stop());
  }
  return { count, ...inserted, perSecond: (images * 1000) / wallMs, settleCpuUs, ...written };
}

type Inserting = { file: string; count: number; repeats: number; cpu: () => number };

async function inserting(side: RowsSide, { file, count, repeats, cpu }: Inserting) {
  const found = {
    ids: [] as string[],
    acceptUs: [] as number[],
    acceptCpuUs: [] as number[],
    receiveUs: [] as number[],
    stallMs: [] as number[],
  };
  for (let repeat = 0; repeat < repeats; repeat++) {
    const before = cpu();
    const { id, rows: accepted, receiveMs, insertMs, stallMs } = await side.ask('accept', { file });
    if (accepted !== count) throw new Error(`${accepted} of ${count} rows were accepted`);
    found.ids.push(id);
    found.acceptUs.push(((receiveMs + insertMs) * 1000) / count);
    found.acceptCpuUs.push(((cpu() - before) * 1000) / count);
    found.receiveUs.push((receiveMs * 1000) / count);
    found.stallMs.push(stallMs);
  }
  return found;
}

/** Statements are planned and code is compiled in the first thousands of rows of any process. */
async function warmUp(side: RowsSide, folder: string): Promise<void> {
  const file = join(folder, 'warm-up.csv');
  await writeCatalog(file, 2000);
  for (let round = 0; round < 2; round++) {
    const { id } = await side.ask('accept', { file });
    await side.ask('work', { images: 2000 });
    await side.ask('write', { id });
  }
}

async function writeCatalog(file: string, count: number): Promise<void> {
  function* lines() {
    yield 'S. No.,Product Name,Input Image Urls\n';
    for (let from = 1; from <= count; from += 1000) {
      const block = Array.from({ length: Math.min(1000, count - from + 1) }, (_, index) => {
        const number = from + index;
        return `${number},SKU-${number},https://cdn.example.com/products/${number}/main.jpg\n`;
      });
      yield block.join('');
    }
  }
  await pipeline(Readable.from(lines()), createWriteStream(file));
}

function judged(engine: Engine, all: Figures[]): Row[] {
  const [smallest, largest] = [all[0], all.at(-1)];
  if (!largest || !smallest) return [];
  const { noise, count } = largest;
  const short = engine === 'postgres' ? 'pg' : 'pglite';
  const size = `${count} rows`;
  const row = (id: string, values: number[], note: string) =>
    judge({ id, ...figures(values, noise), note }, { reference: true });
  return [
    row(
      `T16-${short}`,
      largest.acceptUs,
      `${size}, ${cpuNote(largest.acceptCpuUs)}, receiving ${shownUs(largest.receiveUs)}`,
    ),
    row(`T16-stall-${short}`, [Math.max(...largest.stallMs)], size),
    row(`T17-${short}`, [largest.perSecond], `backlog ${count}, ${digits(largest.settleCpuUs)} CPU-µs an image`),
    ...flatRow(engine, all, noise),
    row(`T18-${short}`, largest.outputUs, `${size}, ${cpuNote(largest.outputCpuUs)}`),
    ...(smallest === largest ? [] : memoryRows(engine, smallest, largest)),
    ...all.slice(0, -1).map((each) => smallerRow(engine, each)),
  ];
}

/** With PGlite server, worker and database are one process: printed, but not the row's figure. */
function memoryRows(engine: Engine, smallest: Figures, largest: Figures): Row[] {
  const { noise, count } = largest;
  const row = (mb: number, least: number) => ({
    ...figures([mb - least], noise),
    note: `${count} rows over ${smallest.count}, peak ${digits(mb)} MB`,
  });
  const all = { id: 'memory', what: `growth of peak Σ PSS, all in one process; ${engine}`, unit: 'MB' };
  const found = [printed({ ...all, ...row(largest.pssMb, smallest.pssMb) })];
  if (largest.apiMb !== undefined && smallest.apiMb !== undefined)
    found.push(judge({ id: 'T18-memory', ...row(largest.apiMb, smallest.apiMb) }, { reference: true }));
  return found;
}

/** Backlogs under 10,000 are over before the clock has ticked often enough. */
function flatRow(engine: Engine, all: Figures[], noise: number): Row[] {
  const costs = all.filter((each) => each.count >= 10_000).map((each) => each.settleCpuUs);
  if (costs.length < 2) return [];
  const spread = figures([Math.max(...costs) / Math.min(...costs)], noise);
  const note = `CPU-µs an image: ${costs.map(digits).join(', ')}`;
  return [judge({ id: 'T17-flat', ...spread, engine, note }, { reference: true })];
}

function smallerRow(engine: Engine, each: Figures): Row {
  const output = `output ${shownUs(each.outputUs)} (${cpuNote(each.outputCpuUs)})`;
  const settled = `${digits(each.perSecond)} settled/s (${digits(each.settleCpuUs)} CPU-µs)`;
  return printed({
    id: 'rows',
    what: `${each.count} rows: read, validate, insert; ${engine}`,
    unit: 'µs/row',
    ...figures(each.acceptUs, each.noise),
    note: `${cpuNote(each.acceptCpuUs)}; ${output}; stall ${digits(Math.max(...each.stallMs))} ms; ${settled}; peak ${digits(each.pssMb)} MB`,
  });
}

function figures(values: number[], noise: number) {
  const figure = median(values);
  return { ours: figure, figure, min: Math.min(...values), max: Math.max(...values), n: values.length, noise };
}

const shownUs = (values: number[]): string => `${digits(median(values))} µs/row`;
const cpuNote = (values: number[]): string => `${digits(median(values))} CPU-µs/row`;

const missing = (engine: Engine): Row[] =>
  targets
    .filter((each) => each.family === 'rows' && each.id.endsWith(engine === 'postgres' ? 'pg' : 'pglite'))
    .map((each) => skipped(each.id, postgresMissing));
