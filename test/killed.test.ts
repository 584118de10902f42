// killed.test.ts — the embedded database survives kill -9 of its process without losing an acknowledged row.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openDatabase } from '../src/db/open.ts';
import { silent } from './support/databases.ts';

const script = join(import.meta.dirname, 'support/row-writer.ts');
let dataDir: string;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'darkroom-kill-test-'));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

test('20 kills at random moments lose none of the acknowledged rows', { timeout: 240_000 }, async () => {
  const acknowledged: string[] = [];
  for (let round = 1; round <= 20; round++) acknowledged.push(...(await writeUntilKilled(round)));

  const db = await openDatabase({ url: '', dataDir, pool: 1, log: silent });
  const settings = await db.query.selectFrom('settings').select('name').execute();
  const workers = await db.query.selectFrom('workers').select('id').execute();
  await db.close();
  const kept = new Set(settings.map(({ name }) => name));
  const lost = acknowledged.filter((name) => !kept.has(name));
  console.log(`20 kills: ${acknowledged.length} rows acknowledged, ${lost.length} lost`);
  expect(lost).toEqual([]);
  expect(new Set(workers.map(({ id }) => id))).toEqual(kept); // both halves of each transaction, or none
  expect(acknowledged.length).toBeGreaterThanOrEqual(20); // each round waits for its first one
});

async function writeUntilKilled(round: number): Promise<string[]> {
  const child = spawn(process.execPath, [script, dataDir, String(round)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  const rows: string[] = [];
  const lines = createInterface({ input: child.stdout });
  const first = once(lines, 'line');
  lines.on('line', (line) => rows.push(line));
  await Promise.race([first, closed]);
  await sleep(Math.random() * 400);
  child.kill('SIGKILL');
  await closed;
  return rows;
}
