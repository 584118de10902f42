// mutants.ts — `npm run mutants`: takes one promise after the other out of the source, and shows which test misses it.
//
//   npm run mutants                  all of them, some minutes
//   npm run mutants -- --only lock   those with this word in their name
//
// Exit 1 when a mutant survives, when its tests do not pass without it, or when the list no longer fits the source.

import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startPostgres } from '../test/support/postgres.ts';
import { mutants } from './mutants/list.ts';
import { mutate, type Mutant } from './mutants/mutant.ts';
import { copyTree, type Tree } from './mutants/tree.ts';
import { table } from './pages.ts';

const root = join(import.meta.dirname, '..');
const { values } = parseArgs({ options: { only: { type: 'string', default: '' } } });
const say = (line: string) => void process.stdout.write(`${line}\n`);

const chosen = mutants.filter(({ name }) => name.includes(values.only));
// One server for all runs; each test has a database of its own on it.
const postgres = await startPostgres();
if (!postgres) throw new Error('There is no PostgreSQL, and half of the mutants live in its statements.');
const env = { DARKROOM_TEST_POSTGRES_URL: postgres.url, DARKROOM_TEST_STRICT: '', CI: '' };
const trees = Array.from({ length: Math.min(availableParallelism(), chosen.length) }, () => copyTree(root, env));
process.once('exit', () => trees.forEach((tree) => tree.remove()));
process.once('SIGINT', () => process.exit(130)); // the tests hear it by themselves
try {
  const began = performance.now();
  const broken = await testsBrokenWithout(trees[0]!);
  for (const name of broken) say(`red without any mutant: ${name}`);
  const results = broken.length > 0 ? [] : await tryAll(chosen);
  say(table(['without', 'in', 'misses it'], results.map(rowOf)));
  const alive = results.filter(({ killer }) => killer === undefined);
  say(`\n${results.length} mutants, ${alive.length} alive, ${Math.round((performance.now() - began) / 1000)} s`);
  process.exitCode = broken.length + alive.length > 0 || results.length === 0 ? 1 : 0;
} finally {
  await postgres.stop();
}

type Result = { mutant: Mutant; killer: string | undefined };

/** The tests that fail while nothing is missing: they could kill anything. */
async function testsBrokenWithout(tree: Tree): Promise<string[]> {
  for (const mutant of chosen) mutate(tree.read(mutant.file), mutant);
  const tests = chosen.flatMap((mutant) => mutant.tests);
  const { passed, failed } = await tree.ask(tests, { untilOneFails: false });
  const missing = tests.filter(({ name }) => ![...passed, ...failed].some((ran) => ran.includes(name)));
  return [...failed, ...missing.map(({ file, name }) => `${file}: "${name}" did not run`)];
}

async function tryAll(list: Mutant[]): Promise<Result[]> {
  const results = new Map<Mutant, Result>();
  const waiting = [...list];
  const work = async (tree: Tree) => {
    for (let mutant = waiting.shift(); mutant; mutant = waiting.shift()) {
      const killer = await killerOf(tree, mutant);
      process.stderr.write(`${killer === undefined ? 'ALIVE ' : 'killed'} ${mutant.name}\n`);
      results.set(mutant, { mutant, killer });
    }
  };
  await Promise.all(trees.map(work));
  return list.flatMap((mutant) => results.get(mutant) ?? []);
}

/** The test that failed; undefined when all of them pass although the promise is gone. */
async function killerOf(tree: Tree, mutant: Mutant): Promise<string | undefined> {
  const source = tree.read(mutant.file);
  tree.write(mutant.file, mutate(source, mutant));
  try {
    const { failed } = await tree.ask(mutant.tests, { untilOneFails: true });
    return failed[0];
  } finally {
    tree.write(mutant.file, source);
  }
}

function rowOf({ mutant, killer }: Result): string[] {
  const file = mutant.tests[0]?.file ?? '';
  return [mutant.name, mutant.file, killer === undefined ? '**nothing**' : `${file}: ${killer}`];
}
