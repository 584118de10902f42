// private-postgres.ts — a PostgreSQL of a test's own that may be stopped in every way and started again on what it wrote.
//
// Only fsync is off: the machine stays up when a process is killed, so that what was written to a file is still there.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { asOther, findBinaries } from './postgres.ts';
import { freePort } from './product.ts';

/** As an operator stops it: in order, without waiting for clients, with recovery at the next start; or killed. */
export type Ending = 'fast' | 'immediate' | 'kill -9';

export type PrivatePostgres = {
  url: string;
  /** Ends it; resolves when all of its processes are gone. */
  end(how: Ending): Promise<void>;
  /** Starts it again on the same port; resolves with the time by its own clock, in ms, at which it first answered. */
  start(): Promise<number>;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
};

const signals = { fast: 'INT', immediate: 'QUIT', 'kill -9': 'KILL' };
// When the tests die without a word the pipe closes, and the server goes with its folder.
const script =
  '"$@" & server=$!; read word; kill -${word:-QUIT} $server; wait $server; [ "$word" ] || rm -rf "$FOLDER"';
const startMs = 60_000;

export async function startPrivatePostgres(): Promise<PrivatePostgres> {
  const bin = findBinaries();
  if (!bin) throw new Error('there is no PostgreSQL');
  const folder = mkdtempSync(join(tmpdir(), 'darkroom-private-pg-'));
  if (asOther.uid) chownSync(folder, asOther.uid, asOther.gid);
  const data = join(folder, 'data');
  const initdb = ['-D', data, '--no-sync', '-A', 'trust', '-U', 'postgres', '-E', 'UTF8', '--locale=C'];
  await promisify(execFile)(join(bin, 'initdb'), initdb, { ...asOther, cwd: folder });
  const port = await freePort();
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  const settings = ['listen_addresses=127.0.0.1', `port=${port}`, 'unix_socket_directories=', 'fsync=off'];
  const command = [join(bin, 'postgres'), '-D', data, ...settings.flatMap((each) => ['-c', each])];
  const run = () => {
    const shell = spawn('sh', ['-c', script, 'sh', ...command], {
      ...asOther,
      cwd: folder,
      env: { PATH: process.env.PATH ?? '', FOLDER: folder },
      detached: true, // Ctrl-C is for the run, which then ends the server in order
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    shell.stdout.resume();
    // Not 'exit': all its processes share this output, and it does not start again while one of them is still dying.
    return { shell, gone: once(shell, 'close') };
  };
  let running = run();
  const end = async (word: string): Promise<void> => {
    running.shell.stdin.end(word);
    await running.gone;
  };
  const answered = async (): Promise<number> => {
    for (const until = Date.now() + startMs; Date.now() < until; await sleep(20)) {
      const at = await timeAt(url);
      if (at !== undefined) return at;
    }
    throw new Error(`PostgreSQL did not answer within ${startMs / 1000} s`);
  };
  await answered();
  return {
    url,
    end: (how) => end(`${signals[how]}\n`),
    start() {
      running = run();
      return answered();
    },
    async stop() {
      await end('');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function timeAt(url: string): Promise<number | undefined> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 2000 });
  client.on('error', () => {});
  try {
    await client.connect();
    const { rows } = await client.query<{ now: Date }>('select clock_timestamp() as now');
    return rows[0]?.now.getTime();
  } catch {
    return undefined;
  } finally {
    await client.end().catch(() => {});
  }
}
