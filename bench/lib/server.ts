// server.ts — Darkroom as shipped, as a process of its own: real HTTP in, guard, sandbox and events on.
//
// One server for each operation, for the pipeline of a catalog is a setting. It is given a private port and folder, the
// source host as its only private host, and an environment in which nothing else is set.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Cpu } from './pairs.ts';
import { freePort } from './port.ts';
import { startPostgres, type Postgres } from './postgres.ts';
import { cpuOfTree } from './proc.ts';
import type { Stage } from './stage.ts';

export type Engine = 'embedded' | 'postgres';
export type Darkroom = {
  url: string;
  /** Roots of everything that belongs to the system under test. */
  pids: number[];
  postgres: Postgres | undefined;
  cpu(): Cpu;
  stop(): Promise<void>;
};

const program = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** Starts server and database; undefined where the engine's binaries are not installed. */
export async function startDarkroom(
  stage: Stage,
  engine: Engine,
  settings: Record<string, string>,
): Promise<Darkroom | undefined> {
  const postgres = engine === 'postgres' ? await startPostgres(stage.options) : undefined;
  if (engine === 'postgres' && !postgres) return undefined;
  const folder = await mkdtemp(join(stage.folder, 'server-'));
  const port = await freePort();
  const { host } = await stage.source();
  const environment: Record<string, string> = {
    PATH: process.env.PATH ?? '',
    HOST: '127.0.0.1',
    PORT: String(port),
    DATA_DIR: join(folder, 'data'),
    DARKROOM_ALLOW_HOSTS: host,
    ...(postgres && { DATABASE_URL: postgres.url }),
    ...settings,
  };
  await mkdir(join(folder, 'data'));
  const log = join(folder, 'log');
  const file = openSync(log, 'w');
  const child = spawn(process.execPath, [program, 'serve'], { env: environment, stdio: ['ignore', file, file] });
  closeSync(file);
  const pid = child.pid ?? 0;
  const stop = async () => {
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), 10_000);
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    clearTimeout(late);
    await postgres?.stop();
    await rm(folder, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${port}`;
  try {
    await untilReady(url, () => child.exitCode !== null || child.signalCode !== null);
  } catch (error) {
    const tail = readFileSync(log, 'utf8').trimEnd().split('\n').slice(-5).join('\n');
    await stop();
    throw new Error(`${(error as Error).message}; it said:\n${tail}`, { cause: error });
  }
  const pids = postgres ? [pid, postgres.pid] : [pid];
  return { url, pids, postgres, cpu: () => cpuOf(pid, postgres?.pid), stop };
}

/** Server and worker share a process here; its time is told as the worker's. */
function cpuOf(pid: number, postgres: number | undefined): Cpu {
  const { rootMs, restMs } = cpuOfTree(pid);
  const server = { worker: rootMs, children: restMs };
  return postgres === undefined ? server : { ...server, postgres: cpuOfTree(postgres).allMs };
}

/** What was used between two looks at the same processes. */
export function cpuSince(after: Cpu, before: Cpu): Cpu {
  const keys = Object.keys(after) as (keyof Cpu)[];
  return Object.fromEntries(keys.map((key) => [key, (after[key] ?? 0) - (before[key] ?? 0)])) as Cpu;
}

export async function untilReady(url: string, ended: () => boolean): Promise<void> {
  for (const until = Date.now() + 60_000; ; await sleep(50)) {
    const answer = await fetch(`${url}/readyz`).catch(() => undefined);
    if (answer?.ok) return;
    if (ended()) throw new Error('the server ended while it started');
    if (Date.now() > until) throw new Error('the server was not ready within 60 s');
  }
}
