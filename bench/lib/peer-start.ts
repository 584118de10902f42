// peer-start.ts — a peer with a database and a broker of its own: private ports, everything in memory, ended by pid.
//
// It stands on what Darkroom stands on: PostgreSQL as shipped, results on tmpfs, the same source host. RabbitMQ runs as it
// is shipped, Redis without its snapshots and log. Its whole CPU counts, database and broker included.

import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startServer, type PrivateServer } from '../../test/support/private-server.ts';
import { startRabbitmq } from '../../test/support/rabbitmq.ts';
import { startRedis } from '../../test/support/redis.ts';
import { writeCatalog } from './catalog.ts';
import { lookMs, post, sendJobs, untilClosed, type Contender, type Open } from './contender.ts';
import type { Cpu, Lap } from './pairs.ts';
import { kinds, type PeerName, type Profile } from './peer-kinds.ts';
import { freePort } from './port.ts';
import { startPostgres, type Postgres } from './postgres.ts';
import { cpuOfTree } from './proc.ts';
import type { Output } from './quality.ts';
import { cpuSince } from './server.ts';
import type { Stage } from './stage.ts';

/** `operation`: a, b or c. */
type Wanted = { operation: string; profile: Profile };
type Running = { url: string; postgres: Postgres; cpu(): Cpu; said(): string; stop(): Promise<void> };

/** Starts the peer; undefined where PostgreSQL is not installed. */
export async function startPeer(stage: Stage, name: PeerName, wanted: Wanted): Promise<Contender | undefined> {
  const peer = await runPeer(stage, name, wanted);
  if (!peer) return undefined;
  const { url, postgres } = peer;
  let last = '';
  const timed = async (urls: string[], everyMs: number, send: () => Promise<void>): Promise<Lap> => {
    await postgres.query('truncate images');
    const before = peer.cpu();
    const begin = Date.now();
    await send();
    const { finishedAt, failed } = await untilClosed(() => postgres.query<Open>(openImages), everyMs).catch((error) => {
      throw new Error(`${name}: ${(error as Error).message}; it said:\n${peer.said()}`, { cause: error });
    });
    if (failed > 0) throw new Error(`${name}: ${failed} of ${urls.length} images failed`);
    return { images: urls.length, wallMs: finishedAt.getTime() - begin, cpu: cpuSince(peer.cpu(), before) };
  };
  const upload = async (urls: string[]) => {
    const request = { headers: { 'content-type': 'text/csv' }, body: writeCatalog(urls) };
    last = ((await post(`${url}/upload`, request)) as { id: string }).id;
  };
  const submit = (urls: string[]) =>
    sendJobs(
      `${url}/jobs`,
      urls.map((imageUrl) => ({ imageUrl })),
    );
  return {
    catalog: (urls) => timed(urls, lookMs.catalog, () => upload(urls)),
    jobs: (urls) => timed(urls, lookMs.jobs, () => submit(urls)),
    outputs: () => outputsOf(postgres, last),
    stop: peer.stop,
  };
}

const openImages = `select count(*) filter (where finished_at is null)::int as open,
  count(*) filter (where status = 'failed')::int as failed, max(finished_at) as "finishedAt" from images`;

async function runPeer(stage: Stage, name: PeerName, { operation, profile }: Wanted): Promise<Running | undefined> {
  const kind = kinds[name];
  const postgres = await startPostgres(stage.options);
  if (!postgres) return undefined;
  const started: { stop(): Promise<void> }[] = [postgres];
  const stop = async () => {
    for (let each = started.pop(); each; each = started.pop()) await each.stop();
    settled();
  };
  const settled = stage.defer(stop);
  const keep = <T extends PrivateServer>(server: T): T => {
    started.push(server);
    return server;
  };
  const folder = await mkdtemp(join(stage.folder, `${name}-`));
  const port = await freePort();
  const log = join(folder, 'log');
  const broker = keep(await startBroker(kind.broker, folder));
  const concurrency = kind.concurrency(stage.cores)[profile];
  const env = {
    ...kind.environment,
    PORT: String(port),
    DATABASE_URL: postgres.url.replace('postgres:', 'postgresql:'),
    BROKER_URL: broker.url,
    OUTPUT: await made(folder, 'output'),
    OPERATION: operation,
    PROFILE: profile,
    CONCURRENCY: String(concurrency),
  };
  // A worker has no port; the one of the API answers by then.
  const run = async (role: 'api' | 'worker', command: string[]) => {
    const logged = ['sh', '-c', 'log=$1; shift; exec "$@" >>"$log" 2>&1', 'sh', log, ...command];
    return keep(await startServer({ folder: await made(folder, role), port, env, command: logged }));
  };
  const [api, worker] = [await run('api', kind.api(port)), await run('worker', kind.worker(concurrency))];
  const all = (pid: number) => cpuOfTree(pid).allMs;
  const cpu = () => ({
    api: all(api.pid()),
    worker: all(worker.pid()),
    postgres: all(postgres.pid),
    broker: all(broker.pid()),
  });
  const said = () => readFileSync(log, 'utf8').trimEnd().split('\n').slice(-8).join('\n');
  return { url: `http://127.0.0.1:${port}`, postgres, cpu, said, stop };
}

/** A Redis that writes nothing down is the quickest: what it costs is messages alone. */
const startBroker = (which: 'redis' | 'rabbitmq', parent: string) =>
  which === 'redis' ? startRedis({ parent, more: { appendonly: 'no' } }) : startRabbitmq({ parent });

async function made(...path: [string, string]): Promise<string> {
  await mkdir(join(...path));
  return join(...path);
}

/** What it wrote for the request `id`, by the name of the source. */
async function outputsOf(postgres: Postgres, id: string): Promise<Output[]> {
  const rows = await postgres.query<{ url: string; output: string }>(
    'select url, output from images where request_id = $1',
    [id],
  );
  const byName = new Map(rows.map(({ url, output }) => [nameOf(url), output]));
  return Promise.all([...byName].map(async ([name, output]) => ({ name, body: await readFile(output) })));
}

/** As the results of Darkroom are named: the last part of the URL without its extension. */
const nameOf = (url: string): string => decodeURIComponent(url.split('/').at(-1) ?? '').replace(/\.\w+$/, '');
