// tree.ts — a private copy of the project in which a mutant may be made, and its tests asked about it.
//
// The checkout is never touched. Packages are linked one by one, so that what Vite and our tests keep in node_modules stays
// in the copy.

import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Expected } from './mutant.ts';

export type Asked = { passed: string[]; failed: string[] };
export type Tree = {
  read(file: string): string;
  write(file: string, text: string): void;
  /** Runs the tests and names those that passed and failed; throws with their output when none could run. */
  ask(tests: Expected[], options: { untilOneFails: boolean }): Promise<Asked>;
  remove(): void;
};

const left = new Set(['node_modules', '.git', '.cache', 'dist', 'data', 'results']);

/** Copies the project at `root`; `env` is handed to each run of Vitest. */
export function copyTree(root: string, env: Record<string, string>): Tree {
  const folder = mkdtempSync(join(tmpdir(), 'darkroom-mutants-'));
  cpSync(root, folder, { recursive: true, filter: (path) => path === root || !left.has(basename(path)) });
  linkPackages(join(root, 'node_modules'), join(folder, 'node_modules'));
  linkPackages(join(root, 'test/services/node_modules'), join(folder, 'test/services/node_modules'));
  return {
    read: (file) => readFileSync(join(folder, file), 'utf8'),
    write: (file, text) => writeFileSync(join(folder, file), text),
    ask: (tests, options) => askVitest(folder, env, tests, options),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function linkPackages(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from))
    if (!name.startsWith('.') || name === '.bin') symlinkSync(join(from, name), join(to, name));
}

type Report = { testResults: { assertionResults: { fullName: string; status: string }[] }[] };

async function askVitest(
  folder: string,
  env: Record<string, string>,
  tests: Expected[],
  { untilOneFails }: { untilOneFails: boolean },
): Promise<Asked> {
  const files = [...new Set(tests.map(({ file }) => file))];
  const names = tests.map(({ name }) => name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const report = join(folder, 'asked.json');
  // Either database would miss the promise; tests that need many connections say "on PostgreSQL", and are asked.
  const pattern = `^(?!on postgres ).*(?:${names.join('|')})`;
  const args = [
    'run',
    ...files,
    '-t',
    pattern,
    '--retry=0',
    '--testTimeout=240000',
    '--reporter=json',
    `--outputFile=${report}`,
  ];
  const vitest = join(folder, 'node_modules/vitest/vitest.mjs');
  const child = spawn(process.execPath, [vitest, ...args, ...(untilOneFails ? ['--bail=1'] : [])], {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += String(chunk)));
  await new Promise((resolve) => child.once('close', resolve));
  const asked = { passed: named(report, 'passed'), failed: named(report, 'failed') };
  rmSync(report, { force: true });
  if (asked.passed.length + asked.failed.length === 0) throw new Error(`No test ran.\n${output.slice(-2_000)}`);
  return asked;
}

function named(report: string, status: string): string[] {
  try {
    const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as Report;
    const all = testResults.flatMap(({ assertionResults }) => assertionResults);
    return all.filter((each) => each.status === status).map(({ fullName }) => fullName);
  } catch {
    return []; // Vitest ended before it could tell
  }
}
