// test.ts — the one gate: static checks, then Vitest, then a line that a machine can read.
//
// `npm test` runs everything; `npm test -- <args>` is Vitest alone with those arguments. The tests run even when a check
// failed, because one round should tell all there is to repair.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runChecks } from './check.ts';
import { countsFile, type Counts } from './count-reporter.ts';
import { verdict } from './verdict.ts';

const root = join(import.meta.dirname, '..');
const args = process.argv.slice(2);
const failedChecks = args.length > 0 ? 0 : await runChecks();
const run = await runVitest(args);
const { line, good } = verdict({ ...run, failedChecks });
for (const name of run.counts?.again ?? []) console.log(`passed only when asked again: ${name}`);
if (failedChecks > 0) console.log(`${failedChecks} of the static checks failed, see above.`);
console.log(line);
process.exitCode = good ? 0 : 1;

async function runVitest(options: string[]): Promise<{ exitCode: number; counts: Counts | undefined }> {
  const folder = mkdtempSync(join(tmpdir(), 'darkroom-test-'));
  const file = join(folder, 'counts.json');
  const reporters = options.some((option) => option.startsWith('--reporter')) ? [] : ['--reporter=default'];
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  // A log that is kept should hold words and no colours.
  const plainUnlessSeen = process.stdout.isTTY ? {} : { NO_COLOR: '1' };
  const child = spawn(
    process.execPath,
    [vitest, 'run', ...reporters, '--reporter=./scripts/count-reporter.ts', ...options],
    { cwd: root, stdio: 'inherit', env: { ...plainUnlessSeen, ...process.env, [countsFile]: file } },
  );
  // Ctrl-C reaches Vitest too, and its servers need the time to stop.
  process.on('SIGINT', () => {});
  const exitCode = await new Promise<number>((resolve) => child.on('close', (code) => resolve(code ?? 1)));
  const counts = readCounts(file);
  rmSync(folder, { recursive: true, force: true });
  return { exitCode, counts };
}

function readCounts(file: string): Counts | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Counts;
  } catch {
    return undefined; // Vitest ended before it could count
  }
}
