// The README's way from one process to many, run as written: three URLs, an API, two workers, a catalog that they share.

import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { afterEach, expect, test, vi } from 'vitest';
import { databaseEngines, emptyPostgres } from './support/databases.ts';
import { openPictureSource } from './support/picture-source.ts';
import { freePort } from './support/product.ts';
import { rabbitmqProgram, startRabbitmq } from './support/rabbitmq.ts';
import { redisProgram, startRedis } from './support/redis.ts';
import { startS3 } from './support/s3.ts';
import { csv } from './support/served.ts';

const root = join(import.meta.dirname, '..');
const patience = { timeout: 60_000, interval: 50 };
const rows = 12;
const startBroker = redisProgram ? startRedis : startRabbitmq;
const isPossible = databaseEngines.includes('postgres') && Boolean(redisProgram ?? rabbitmqProgram);

const closers: (() => PromiseLike<unknown>)[] = [];
afterEach(async () => {
  for (let close = closers.pop(); close; close = closers.pop()) await close();
});

/** The settings and the commands of the section, as they stand there. */
async function section(): Promise<{ settings: Map<string, string>; commands: string[] }> {
  const readme = await readFile(join(root, 'README.md'), 'utf8');
  const text = /^### More than one machine\n(.*?)^###? /ms.exec(readme)?.[1] ?? '';
  const blockOf = (language: string) =>
    new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'ms').exec(text)?.[1]?.trim().split('\n') ?? [];
  const pairs = blockOf('ini').map((line) => line.split(/=(.*)/, 2) as [string, string]);
  return { settings: new Map(pairs), commands: blockOf('shell') };
}

/** Servers for the settings that the README names, and an address of the same kind for each. */
async function servers(): Promise<Record<string, string>> {
  const [broker, s3, postgres] = await Promise.all([startBroker(), startS3(), emptyPostgres()]);
  closers.push(postgres.drop, () => s3[Symbol.asyncDispose](), broker.stop);
  return { DATABASE_URL: postgres.url, QUEUE_URL: broker.url, STORAGE_URL: s3.urlOf('grown'), ...s3.env };
}

/** A line of the README in a shell of its own, as in a terminal: Ctrl-C reaches all that it has started. */
function inTerminal(command: string, env: Record<string, string>) {
  const shell: ChildProcess = spawn('sh', ['-c', command], { cwd: root, env, detached: true });
  let said = '';
  for (const stream of [shell.stdout, shell.stderr]) stream?.on('data', (text: Buffer) => (said += String(text)));
  const ended = once(shell, 'close');
  const signal = (name: NodeJS.Signals) => {
    try {
      process.kill(-Number(shell.pid), name);
    } catch {
      // All of it has ended.
    }
  };
  closers.push(async () => {
    signal('SIGKILL');
    await ended;
  });
  return { said: () => said, interrupt: () => signal('SIGINT'), ended };
}

test.skipIf(!isPossible)(
  'grows to three servers and two workers by the settings and commands of the README',
  { timeout: 120_000 },
  async () => {
    const { settings, commands } = await section();
    const own = await servers();
    expect([...settings.keys()].toSorted()).toEqual(Object.keys(own).toSorted());
    const kinds = (values: Iterable<string>) => [...values].filter((text) => text.includes('://')).map(schemeOf);
    // Where there is no Redis the other broker stands in.
    const named = kinds(settings.values()).map((kind) => (redisProgram || kind !== 'redis' ? kind : 'amqp'));
    expect(named).toEqual(kinds(Object.values(own)));
    expect(commands.map((line) => line.split('#')[0]?.trim())).toEqual([
      'npx darkroom config check',
      'npx darkroom serve --no-worker',
      'npx darkroom worker',
      'npx darkroom worker',
    ]);

    const { env, pictures, url } = await machine(own);
    const [check = '', ...lasting] = commands;
    const { stdout } = await promisify(execFile)('sh', ['-c', check], { cwd: root, env });
    expect(stdout.match(/^(?:ok|FAIL) +\w+/gm)).toEqual(['ok    database', 'ok    queue', 'ok    storage']);
    const terminals = lasting.map((command) => inTerminal(command, env));
    for (const { said } of terminals) await vi.waitFor(() => expect(said()).toMatch(/Ctrl-C stops/), patience);

    const release = pictures.hold();
    const id = await submit(url, pictures.host);
    const database = new Client({ connectionString: own['DATABASE_URL'] });
    await database.connect();
    closers.push(() => database.end());
    await vi.waitFor(async () => {
      const working = await database.query(`select distinct worker from images where state = 'running'`);
      expect(working.rowCount).toBe(2);
    }, patience);
    release();
    await vi.waitFor(async () => {
      expect(await (await fetch(`${url}/status/${id}`)).json()).toMatchObject({ status: 'completed' });
    }, patience);
    const output = await (await fetch(`${url}/download/${id}`)).text();
    const results = [...output.matchAll(/http:[^,\s]+\/processed_images\/\w+\.jpg/g)].map(([result]) => result);
    expect(results).toHaveLength(rows);
    expect((await fetch(results[0] ?? '')).status).toBe(200);

    for (const { interrupt } of terminals) interrupt();
    await Promise.all(terminals.map(({ ended }) => ended));
    // The code is npx's; whoever stops well has signed off.
    expect((await database.query('select id from workers')).rowCount).toBe(0);
  },
);

const schemeOf = (url: string): string => url.split(':')[0] ?? '';

/** What differs from machine to machine and is none of the block's business; small steps, so that both workers get work. */
async function machine(own: Record<string, string>) {
  const folder = await mkdtemp(join(tmpdir(), 'darkroom-grown-'));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  const pictures = await openPictureSource();
  closers.push(() => pictures[Symbol.asyncDispose]());
  const port = await freePort();
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: folder,
    DATA_DIR: join(folder, 'data'),
    PORT: String(port),
    DARKROOM_ALLOW_HOSTS: pictures.host,
    DARKROOM_SLOTS: '1',
    ...own,
  };
  return { env, pictures, url: `http://127.0.0.1:${port}` };
}

async function submit(url: string, host: string): Promise<string> {
  const lines = Array.from({ length: rows }, (_, at) => `${at},P${at},http://${host}/a.jpg?n=${at}\n`);
  const body = new FormData();
  body.append('file', csv(lines.join('')));
  const answer = (await (await fetch(`${url}/upload`, { method: 'POST', body })).json()) as { request_id: string };
  return answer.request_id;
}
