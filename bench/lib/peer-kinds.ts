// peer-kinds.ts — the peers: what each needs on this machine, and how its two programs are started.
//
// Nothing is installed here. What lacks is named with the line that brings it.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { rabbitmqProgram } from '../../test/support/rabbitmq.ts';
import { redisProgram } from '../../test/support/redis.ts';

const names = ['bullmq', 'celery', 'rabbitmq'] as const;
export type PeerName = (typeof names)[number];
/** `tuned` uses every core; `as-seeded` is how the older designs are written down, and uses one. */
export type Profile = 'tuned' | 'as-seeded';

type Kind = {
  label: string;
  broker: 'redis' | 'rabbitmq';
  api(port: number): string[];
  worker(concurrency: number): string[];
  /** How many images at once. */
  concurrency(cores: number): Record<Profile, number>;
  environment: Record<string, string>;
  /** Python modules by the Debian package that brings them. */
  modules: Record<string, string>;
};

const at = (path: string) => fileURLToPath(new URL(`../peers/${path}`, import.meta.url));
/** Debian's, for which the packages are; another one on PATH would not see them. */
const python = '/usr/bin/python3';
const uvicorn = (app: string, port: number) => [
  python,
  '-m',
  'uvicorn',
  app,
  '--port',
  String(port),
  '--log-level',
  'warning',
  '--no-access-log',
];
const inPython = (name: PeerName) => ({
  PYTHONPATH: [at(name), at('pillow')].join(delimiter),
  PYTHONDONTWRITEBYTECODE: '1',
});
const web = {
  'python3-fastapi': 'fastapi',
  'python3-uvicorn': 'uvicorn',
  'python3-sqlalchemy': 'sqlalchemy',
  'python3-psycopg2': 'psycopg2',
  'python3-pil': 'PIL',
  'python3-requests': 'requests',
};
const allCores = (cores: number) => ({ tuned: cores, 'as-seeded': cores });

export const kinds: Record<PeerName, Kind> = {
  bullmq: {
    label: 'BullMQ',
    broker: 'redis',
    api: () => [process.execPath, at('bullmq/api.mjs')],
    worker: () => [process.execPath, at('bullmq/worker.mjs')],
    concurrency: (cores) => ({ tuned: cores + 1, 'as-seeded': 1 }),
    environment: {},
    modules: {},
  },
  celery: {
    label: 'Celery',
    broker: 'redis',
    api: (port) => uvicorn('app:api', port),
    worker: (concurrency) => [
      python,
      '-m',
      'celery',
      '-A',
      'app:celery',
      'worker',
      '-l',
      'WARNING',
      '-c',
      String(concurrency),
    ],
    // As seeded it has as many processes, and one task for the whole catalog.
    concurrency: allCores,
    environment: inPython('celery'),
    modules: { ...web, 'python3-celery': 'celery', 'python3-redis': 'redis' },
  },
  rabbitmq: {
    label: 'RabbitMQ',
    broker: 'rabbitmq',
    api: (port) => uvicorn('api:api', port),
    worker: () => [python, at('rabbitmq/worker.py')],
    concurrency: allCores,
    environment: inPython('rabbitmq'),
    modules: { ...web, 'python3-pika': 'pika' },
  },
};

/** The peers that were asked for; all where none is named. */
export function choosePeers(asked: string[]): PeerName[] {
  const unknown = asked.filter((each) => !(each in kinds));
  if (unknown.length > 0) throw new Error(`There is no peer "${unknown.join(', ')}": ${names.join(', ')}`);
  return names.filter((each) => asked.length === 0 || asked.includes(each));
}

/** What this machine lacks and how to get it; undefined where the peer can be started. */
export async function lackOf(name: PeerName): Promise<string | undefined> {
  const { broker, modules } = kinds[name];
  const program = broker === 'redis' ? redisProgram : rabbitmqProgram;
  const lacking = [...(program ? [] : [`${broker}-server`]), ...(await lackingPackages(modules))];
  if (lacking.length > 0) return `${lacking.join(', ')} not found; apt-get install ${lacking.join(' ')}`;
  if (name === 'bullmq' && !existsSync(at('bullmq/node_modules/express')))
    return 'express not found; npm install --prefix bench/peers/bullmq';
  return undefined;
}

async function lackingPackages(modules: Kind['modules']): Promise<string[]> {
  const packages = Object.keys(modules);
  if (packages.length === 0) return [];
  const script = 'import sys, importlib.util as u\nfor m in sys.argv[1:]: print(u.find_spec(m) is not None)';
  try {
    const { stdout } = await promisify(execFile)(python, ['-c', script, ...Object.values(modules)]);
    const found = stdout.trimEnd().split('\n');
    return packages.filter((_, index) => found[index] !== 'True');
  } catch {
    return ['python3', ...packages];
  }
}

/** Pillow alone, one picture after the other in one process; CPU-ms per image. */
export async function pillowAlone(operation: string, folder: string, files: string[]): Promise<number> {
  const { stdout } = await promisify(execFile)(python, [at('pillow/picture.py'), operation, folder, ...files]);
  return Number(stdout);
}
