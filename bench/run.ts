// run.ts — the command line of the bench: which rows, on which pictures, with which verdict.
//
//   npm run bench                        the quick run: what a change to a hot path should look at
//   npm run bench -- full                everything that can be measured here; writes RESULTS.md
//   npm run bench -- limit|e2e|rows|…    one family of rows
//   npm run bench -- corpus|list         fetch and verify the pictures; show rows with gate and aim
//
// Exit 0: no row below its gate. 1: one is, or the trend of T5 is, or something could not be measured that must be.

import { parseArgs } from 'node:util';
import { describeCorpus, openCorpus } from './corpus.ts';
import { gatherFacts, keepRows, readKept, trendFaults, verdictLine, writeResults } from './lib/results.ts';
import { openStage, type Options, type Stage } from './lib/stage.ts';
import { notBuilt, table, targetTable, type Row } from './lib/table.ts';
import { targets, type Family } from './targets.ts';

type Program = { rows(stage: Stage): Promise<Row[]> };

/** The families whose program exists. Each is loaded when it is asked for: some need parts that others do without. */
const programs: Partial<Record<Family, () => Promise<Program>>> = {
  limit: () => import('./limit.ts'),
  e2e: () => import('./e2e.ts'),
  renditions: () => import('./renditions.ts'),
  dedupe: () => import('./dedupe.ts'),
  rows: () => import('./rows.ts'),
};

const quick: Family[] = ['limit', 'e2e', 'egress', 'renditions', 'tiny', 'rows', 'latency'];
const families = [...new Set(targets.map((target) => target.family))];
const log = (line: string) => process.stderr.write(`${line}\n`);

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      op: { type: 'string', default: 'a,b,c' },
      effort: { type: 'string', default: 'balanced,fast' },
      engine: { type: 'string', default: '' },
      n: { type: 'string', default: '' },
      k: { type: 'string', default: '' },
      pairs: { type: 'string', default: '' },
      synthetic: { type: 'boolean', default: false },
      disk: { type: 'boolean', default: false },
    },
  });
  const command = positionals[0] ?? 'quick';
  if (command === 'list') return say(targetTable());
  const wanted =
    command === 'quick' ? quick : command === 'full' ? families : families.filter((each) => each === command);
  const full = command === 'full';
  const options: Options = {
    pairs: Number(values.pairs || (full ? 5 : 3)),
    ops: words(values.op),
    efforts: words(values.effort),
    engines: words(values.engine || (full ? 'embedded,postgres' : command === 'quick' ? 'embedded' : '')),
    counts: words(values.n || (full ? '1k,10k,100k,1M' : command === 'quick' ? '1k,10k' : '')).map(count),
    inFlight: words(values.k).map(Number),
    synthetic: values.synthetic,
    disk: values.disk,
  };
  if (command === 'corpus') return showCorpus(options);
  if (wanted.length === 0)
    return complain(`There is no "${command}". Known: full, corpus, list, ${families.join(', ')}.`);
  if (majorOf(process.versions.node) !== 24)
    return complain(
      `This is Node ${process.versions.node}; the figures belong to Node 24, which \`npm run bench\` uses.`,
    );
  return measure(wanted, options, full);
}

async function measure(wanted: Family[], options: Options, full: boolean): Promise<number> {
  const stage = await openStage(options, log);
  const interrupt = () => void stage.close().finally(() => process.exit(130));
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    const facts = gatherFacts(stage.corpus);
    const rows: Row[] = [];
    const broken: Family[] = [];
    for (const family of wanted) {
      try {
        const load = programs[family];
        rows.push(...(load ? await (await load()).rows(stage) : notBuilt(family)));
      } catch (error) {
        // What was measured before must not be lost with it.
        log(`${family}: ${(error as Error).stack}`);
        broken.push(family);
      }
    }
    const faults = trendFaults(facts, rows, readKept());
    keepRows(facts, rows);
    if (full) writeResults(facts, stage.corpus, rows, readKept());
    say(`${table(rows)}\n\n${verdictLine(rows)}; noise up to ${noisePercent(rows)} %`);
    for (const fault of faults) say(fault);
    for (const family of broken) say(`${family} could not be measured`);
    return faults.length + broken.length > 0 || rows.some(fails) ? 1 : 0;
  } finally {
    await stage.close();
  }
}

function noisePercent(rows: Row[]): string {
  return (100 * Math.max(0, ...rows.map((row) => row.noise))).toFixed(1);
}

/** Skipping is no failure on a machine that lacks a server, but it is one where all are meant to be. */
function fails({ verdict }: Row): boolean {
  const strict = Boolean(process.env.CI ?? process.env.DARKROOM_TEST_STRICT);
  return verdict === 'below' || verdict === 'refused' || (strict && verdict === 'skipped');
}

async function showCorpus({ synthetic }: Options): Promise<number> {
  const corpus = await openCorpus({ synthetic, folder: process.env.BENCH_CORPUS, log });
  for (const { name, width, height, bytes } of corpus.photos) say(`${name}  ${width}x${height}  ${bytes} bytes`);
  return say(`${corpus.kind}: ${describeCorpus(corpus)}, digest ${corpus.digest}`);
}

function words(list: string): string[] {
  return list.split(',').filter(Boolean);
}

/** "10k" -> 10,000 and "1M" -> 1,000,000. */
function count(text: string): number {
  const [, digits, unit = ''] = /^(\d+)([kM]?)$/.exec(text) ?? [];
  if (!digits) throw new Error(`--n takes numbers such as 1k,10k,1M, not "${text}"`);
  return Number(digits) * ({ k: 1e3, M: 1e6 }[unit] ?? 1);
}

const majorOf = (version: string): number => Number(version.split('.')[0]);

function say(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

function complain(text: string): number {
  log(text);
  return 1;
}

process.exitCode = await main();
