// check.ts — everything that can be judged without running the product: `npm run check`.
//
// All checks run, also after a failure, and each speaks only when it has something to say.

import { spawn } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const bin = (name: string) => join(root, 'node_modules/.bin', name);

const checks: { name: string; command: string[] }[] = [
  { name: 'format', command: [bin('oxfmt'), '--check', '.'] },
  { name: 'lint', command: [bin('oxlint'), '--type-aware', '--deny-warnings'] },
  { name: 'types', command: [bin('tsc'), '--project', '.'] },
  {
    name: 'page',
    command: [bin('svelte-check'), '--workspace', 'web', '--tsconfig', './tsconfig.json', '--fail-on-warnings'],
  },
  { name: 'unused code', command: [bin('knip')] },
  { name: 'lock file', command: [process.execPath, 'scripts/check-lock.ts'] },
  { name: 'API document', command: [bin('redocly'), 'lint', 'docs/openapi.json', '--format=stylish'] },
  { name: 'generated docs', command: [process.execPath, 'scripts/docs.ts', '--check'] },
];

/** No check calls home. */
const quiet = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' };

/** Runs every check and returns how many failed. */
export async function runChecks(): Promise<number> {
  let failed = 0;
  for (const { name, command } of checks) {
    const started = performance.now();
    const { code, said } = await run(command);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    if (code === 0) {
      console.log(`✓ ${name} (${seconds} s)`);
      continue;
    }
    failed += 1;
    console.log(`${said.trimEnd()}\n✗ ${name} (${seconds} s)`);
  }
  return failed;
}

function run([program = '', ...args]: string[]): Promise<{ code: number; said: string }> {
  return new Promise((resolve, reject) => {
    const said: Buffer[] = [];
    const child = spawn(program, args, { cwd: root, env: quiet, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => said.push(chunk));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? 1, said: Buffer.concat(said).toString() }));
  });
}

if (import.meta.main) process.exitCode = (await runChecks()) > 0 ? 1 : 0;
