// postgres.ts — a private PostgreSQL for the run, with the settings it is shipped with: fsync stays on.
//
// PostgreSQL refuses to run as root, so root lends it the uid of nobody, and a folder of its own that nobody may enter.
// A small shell stands between: when the harness dies without a word, the shell's input closes and it stops the server.

import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, globSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client, Pool, type QueryResultRow } from 'pg';
import { freePort } from './port.ts';

export type Postgres = {
  url: string;
  pid: number;
  version: string;
  /** One statement by the harness's own connections, which live as long as the server. */
  query<Row extends QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]>;
  stop(): Promise<void>;
};

const run = promisify(execFile);
const nobody = 65_534;
const asOther = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {};

export const postgresMissing = 'no PostgreSQL binaries in /usr/lib/postgresql; apt-get install postgresql';

const binaries = () =>
  globSync('/usr/lib/postgresql/*/bin')
    .filter((each) => existsSync(join(each, 'initdb')))
    .toSorted()
    .at(-1);

/** Of the server that would be started, or 'none'. */
export function postgresVersion(): string {
  const bin = binaries();
  const told = bin ? execFileSync(join(bin, 'postgres'), ['--version'], { encoding: 'utf8' }) : '';
  return /[\d.]+/.exec(told)?.[0] ?? 'none';
}

/** Starts a server on tmpfs (or on the real disk), or gives undefined where PostgreSQL is not installed. */
export async function startPostgres({ disk }: { disk: boolean }): Promise<Postgres | undefined> {
  const bin = binaries();
  if (!bin) return undefined;
  const folder = await mkdtemp(join(!disk && existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'darkroom-bench-pg-'));
  if (asOther.uid) chownSync(folder, nobody, nobody);
  const data = join(folder, 'data');
  await run(join(bin, 'initdb'), ['-D', data, '-A', 'trust', '-U', 'postgres', '-E', 'UTF8', '--locale=C'], {
    ...asOther,
    cwd: folder,
  });
  const port = await freePort();
  const settings = ['listen_addresses=127.0.0.1', `port=${port}`, 'unix_socket_directories='];
  const script = '"$@" & server=$!; read _; kill -INT $server; wait $server';
  const command = [join(bin, 'postgres'), '-D', data, ...settings.flatMap((each) => ['-c', each])];
  const shell = spawn('sh', ['-c', script, 'sh', ...command], {
    ...asOther,
    cwd: folder,
    detached: true, // an interrupt is for the harness, which then stops the server in order
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  const pool = openPool(url);
  const stop = async () => {
    await pool.end();
    shell.stdin.end();
    if (shell.exitCode === null) await once(shell, 'exit');
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const version = await answerOf(url);
    const query: Postgres['query'] = async (text, values) => (await pool.query(text, values)).rows;
    return { url, pid: shell.pid ?? 0, version, query, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Connects when it is first asked. */
function openPool(connectionString: string): Pool {
  const pool = new Pool({ connectionString, max: 4 });
  // The server may end before the harness does; nobody asks any more then.
  pool.on('error', () => {});
  return pool;
}

/** The version, as soon as the server answers. */
async function answerOf(url: string): Promise<string> {
  for (const until = Date.now() + 20_000; ; await sleep(50)) {
    const client = new Client({ connectionString: url });
    try {
      await client.connect();
      const { rows } = await client.query<{ server_version: string }>('show server_version');
      return rows[0]?.server_version ?? 'unknown';
    } catch (error) {
      if (Date.now() > until) throw error;
    } finally {
      await client.end().catch(() => {});
    }
  }
}
