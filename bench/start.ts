// start.ts — from the command to the first accepted job: the very first time, and when the database is there already.
//
// Rows T25, embedded. The clock runs from the spawn of the process to the answer 202; the job is tried again until the
// server answers at all. The first start makes the database; the later one opens what the first left.

import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { listenForNoise } from './lib/noise.ts';
import { freePort } from './lib/port.ts';
import { cpuOfTree } from './lib/proc.ts';
import { runProgram } from './lib/program.ts';
import type { Stage } from './lib/stage.ts';
import { digits, judge, spread, type Row } from './lib/table.ts';

const knockMs = 10;
const latestMs = 60_000;

type Started = { seconds: number; cpuMs: number };

export async function rows(stage: Stage): Promise<Row[]> {
  const first: Started[] = [];
  const later: Started[] = [];
  const hush = listenForNoise();
  for (let round = 0; round < stage.options.pairs; round++) {
    stage.log(`start: ${round + 1} of ${stage.options.pairs}`);
    const dataDir = await mkdtemp(join(stage.folder, 'start-'));
    first.push(await startOnce(stage, dataDir));
    later.push(await startOnce(stage, dataDir));
    await rm(dataDir, { recursive: true });
  }
  const noise = hush();
  const row = (id: string, starts: Started[]) => {
    const note = `${digits(spread(starts.map(({ cpuMs }) => cpuMs)).figure)} CPU-ms until then`;
    return judge({ id, ...spread(starts.map(({ seconds }) => seconds)), noise, note }, { reference: true });
  };
  return [row('T25-first', first), row('T25-later', later)];
}

async function startOnce(stage: Stage, dataDir: string): Promise<Started> {
  const port = await freePort();
  const { host } = await stage.source();
  const environment = {
    HOST: '127.0.0.1',
    PORT: String(port),
    DATA_DIR: dataDir,
    DARKROOM_ALLOW_HOSTS: host,
    DARKROOM_LOG_LEVEL: 'warn',
  };
  const begin = performance.now();
  const program = runProgram(['serve'], environment, join(stage.folder, 'start.log'));
  try {
    const body = JSON.stringify({ images: [{ source: { url: `http://${host}/start-${port}/tiny.png` } }] });
    for (;;) {
      const headers = { 'content-type': 'application/json' };
      const sent = fetch(`http://127.0.0.1:${port}/v1/batches`, { method: 'POST', headers, body });
      const answer = await sent.catch(() => undefined);
      const seconds = (performance.now() - begin) / 1000;
      if (answer?.status === 202) return { seconds, cpuMs: cpuOfTree(program.pid).allMs };
      if (program.ended() || seconds * 1000 > latestMs) throw new Error(`no job was accepted:\n${program.tail()}`);
      await sleep(knockMs);
    }
  } finally {
    await program.end('SIGTERM');
  }
}
