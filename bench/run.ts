// run.ts — the command line of the bench: which rows, on which pictures, with which verdict.
//
//   npm run bench                        the quick run: what a change to a hot path should look at
//   npm run bench -- full                everything that can be measured here; writes RESULTS.md
//   npm run bench -- limit|e2e|rows|…    one family of rows
//   npm run bench -- results             writes RESULTS.md again, from what was kept of the last commit measured
//   npm run bench -- corpus|list         fetch and verify the pictures; show rows with gate and aim
//
// Exit 0: no row below its gate. 1: one is, or the trend of T5 is, or something could not be measured that must be.

import { parseArgs } from 'node:util';
import { describeCorpus, openCorpus } from './corpus.ts';
import { families, full, minutes, programs, quick } from './families.ts';
import { gatherFacts, keepRows, readKept, trendFaults } from './lib/kept.ts';
import { verdictLine, writeResults } from './lib/results.ts';
import { openStage, type Options } from './lib/stage.ts';
import { table, targetTable, type Row } from './lib/table.ts';
import type { Family } from './targets.ts';

const log = (line: string) => process.stderr.write(`${line}\n`);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    op: { type: 'string', default: 'a,b,c' },
    effort: { type: 'string', default: 'balanced,fast' },
    engine: { type: 'string', default: '' },
    only: { type: 'string', default: '' },
    n: { type: 'string', default: '' },
    k: { type: 'string', default: '' },
    pairs: { type: 'string', default: '' },
    minutes: { type: 'string', default: '' },
    synthetic: { type: 'boolean', default: false },
    disk: { type: 'boolean', default: false },
  },
});

async function main(): Promise<number> {
  const [command = 'quick'] = positionals;
  if (command === 'list') return say(targetTable());
  if (command === 'results') return say(writeResults(readKept()));
  const options = optionsOf(command);
  if (command === 'corpus') return showCorpus(options);
  const wanted = wantedBy(command);
  const strange = words(values.only).find((name) => !isFamily(name));
  if (wanted.length === 0 || strange !== undefined)
    return complain(`There is no "${strange ?? command}". Known: full, results, corpus, list, ${families.join(', ')}.`);
  if (majorOf(process.versions.node) !== 24)
    return complain(
      `This is Node ${process.versions.node}; the figures belong to Node 24, which \`npm run bench\` uses.`,
    );
  return measure(wanted, options, command === 'full');
}

function wantedBy(command: string): Family[] {
  const all = command === 'quick' ? quick : command === 'full' ? full : families.filter((each) => each === command);
  const only = words(values.only).filter(isFamily);
  return only.length > 0 ? all.filter((each) => only.includes(each)) : all;
}

function optionsOf(command: string): Options {
  const [thorough, brief] = [command === 'full', command === 'quick'];
  const engines = thorough ? 'embedded,postgres,postgres+redis,postgres+rabbitmq' : brief ? 'embedded' : '';
  return {
    pairs: Number(values.pairs || (thorough ? 5 : 3)),
    ops: words(values.op),
    efforts: words(values.effort),
    engines: words(values.engine || engines),
    counts: words(values.n).map(count),
    inFlight: words(values.k).map(Number),
    minutes: Number(values.minutes || (thorough ? minutes.soak[1] : minutes.soak[0])),
    peers: positionals.slice(1),
    synthetic: values.synthetic,
    disk: values.disk,
    brief,
    thorough,
    withLimits: thorough || brief,
  };
}

const scopeOf = ({ brief, thorough }: Options) => (thorough ? 'full' : brief ? 'quick' : 'one');

async function measure(wanted: Family[], options: Options, writes: boolean): Promise<number> {
  const expected = wanted.map((family) => minutes[family][options.thorough ? 1 : 0]);
  const sum = expected.reduce((all, each) => all + each, 0);
  log(`about ${sum.toFixed(0)} minutes: ${wanted.map((name, index) => `${name} ${expected[index]}`).join(', ')}`);
  const stage = await openStage(options, log);
  const interrupt = () => void stage.close().finally(() => process.exit(130));
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    const facts = gatherFacts(stage.corpus, scopeOf(options));
    const rows: Row[] = [];
    for (const family of wanted) {
      const begin = performance.now();
      const found = await stage.attempt(family, async () => (await programs[family]()).rows(stage));
      // At once: what was measured must not be lost with what comes after it.
      keepRows(facts, family, found);
      rows.push(...found);
      log(`${family}: ${((performance.now() - begin) / 60_000).toFixed(1)} minutes`);
    }
    const faults = [...trendFaults(facts, rows, readKept()), ...stage.failures];
    if (writes) log(writeResults(readKept()));
    say(`${table(rows)}\n\n${verdictLine(rows)}; noise up to ${noisePercent(rows)} %`);
    for (const fault of faults) say(fault);
    return faults.length > 0 || rows.some(fails) ? 1 : 0;
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

const isFamily = (name: string): name is Family => families.some((each) => each === name);

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
