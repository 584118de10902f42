// server.ts — Darkroom as shipped, as processes of their own: real HTTP in, guard, sandbox and events on.
//
// One server for each operation, for the pipeline of a catalog is a setting. It is given a private port and folder, the
// source host as its only private host, and an environment in which nothing else is set.

import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openBacking, type Engine } from './backing.ts';
import type { Cpu } from './pairs.ts';
import { freePort } from './port.ts';
import type { Postgres } from './postgres.ts';
import { cpuOfTree } from './proc.ts';
import { runProgram, type Program } from './program.ts';
import type { Stage } from './stage.ts';

export type Darkroom = {
  url: string;
  /** Roots of everything that belongs to the system under test. */
  pids: number[];
  postgres: Postgres | undefined;
  cpu(): Cpu;
  /** One more process that works; resolves once it is among the living. PostgreSQL alone. */
  addWorker(): Promise<Program>;
  stop(): Promise<void>;
};

/** `serve` answers and works; `api` answers alone, and works through `addWorker`. */
type Role = 'serve' | 'api';

/** Starts server and database; undefined where the engine's binaries are not installed. */
export async function startDarkroom(
  stage: Stage,
  engine: Engine,
  settings: Record<string, string>,
  role: Role = 'serve',
): Promise<Darkroom | undefined> {
  const backing = await openBacking(engine, stage.options);
  if (!backing) return undefined;
  const folder = await mkdtemp(join(stage.folder, 'server-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const dataDir = join(folder, 'data');
  const environment: Record<string, string> = {
    HOST: '127.0.0.1',
    PORT: String(port),
    DATA_DIR: dataDir,
    DARKROOM_ALLOW_HOSTS: (await stage.source()).host,
    ...backing.environment,
    ...settings,
  };
  const workers: Program[] = [];
  let server: Program | undefined;
  const stop = async () => {
    await Promise.all([...workers, ...(server ? [server] : [])].map((each) => each.end('SIGTERM')));
    await backing.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    if (engine === 'embedded') await cp(await emptyDatabase(stage), dataDir, { recursive: true });
    else await mkdir(dataDir);
    const args = role === 'serve' ? ['serve'] : ['serve', '--no-worker'];
    const program = (server = runProgram(args, environment, join(folder, 'log')));
    await untilReady(url, () => program.ended()).catch((error: unknown) => {
      throw new Error(`${(error as Error).message}; it said:\n${program.tail()}`, { cause: error });
    });
    const addWorker = async () => {
      const worker = runProgram(['worker'], environment, join(folder, `log-${workers.length}`));
      workers.push(worker);
      await untilAlive(backing.postgres, worker);
      return worker;
    };
    const cpu = () => ({ ...cpuOf(program, workers, role), ...backing.cpu() });
    return { url, pids: [program.pid, ...backing.pids], postgres: backing.postgres, cpu, addWorker, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Runs `work` on a server of its own, which ends with it; undefined where the engine is not installed. */
export async function onDarkroom<T>(
  stage: Stage,
  { engine, settings = {}, role }: { engine: Engine; settings?: Record<string, string>; role?: Role },
  work: (server: Darkroom) => Promise<T>,
): Promise<T | undefined> {
  const server = await startDarkroom(stage, engine, settings, role);
  if (!server) return undefined;
  // An interrupted run must end it, too.
  const forget = stage.defer(() => server.stop());
  try {
    return await work(server);
  } finally {
    forget();
    await server.stop();
  }
}

/** Where server and worker share a process its time is told as the worker's. */
function cpuOf(server: Program, workers: Program[], role: Role): Cpu {
  const { rootMs, restMs } = cpuOfTree(server.pid);
  if (role === 'serve') return { worker: rootMs, children: restMs };
  const trees = workers.map(({ pid }) => cpuOfTree(pid));
  const sum = (key: 'rootMs' | 'restMs') => trees.reduce((all, each) => all + each[key], 0);
  return { api: rootMs + restMs, worker: sum('rootMs'), children: sum('restMs') };
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

async function untilAlive(postgres: Postgres | undefined, { pid, ended, tail }: Program): Promise<void> {
  if (!postgres) throw new Error('a worker of its own needs PostgreSQL');
  for (const until = Date.now() + 120_000; ; await sleep(50)) {
    const [found] = await postgres.query<{ pid: number }>('select pid from workers where pid = $1', [pid]);
    if (found) return;
    if (ended() || Date.now() > until) throw new Error(`the worker did not start:\n${tail()}`);
  }
}

const empty = new WeakMap<Stage, Promise<string>>();

/** The embedded database's first start costs seconds and a gigabyte (row T25): done once a run, and copied. */
function emptyDatabase(stage: Stage): Promise<string> {
  const made = empty.get(stage) ?? makeEmptyDatabase(stage.folder);
  empty.set(stage, made);
  return made;
}

async function makeEmptyDatabase(folder: string): Promise<string> {
  const dataDir = join(folder, 'empty');
  const program = runProgram(['migrate'], { DATA_DIR: dataDir }, join(folder, 'empty.log'));
  for (const until = Date.now() + 60_000; !program.ended() && Date.now() < until;) await sleep(20);
  await program.end('SIGKILL');
  return dataDir;
}
