// postgres.ts — a private PostgreSQL for one test run: free port, own folder, gone with the run however it ends.
//
// PostgreSQL refuses to run as root, so root lends it the uid of nobody. A small shell stands between: when the run dies
// without a word its end of the pipe closes, and the shell stops the server and removes the folder.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, globSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { npmPostgres } from '../services/npm-postgres.ts';

export type PostgresServer = { url: string; source: string; version: string; stop: () => Promise<void> };

const run = promisify(execFile);
const nobody = 65_534;
/** PostgreSQL refuses to run as root. */
export const asOther = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {};

/** Undefined when no binaries are found on this machine. */
export async function startPostgres(): Promise<PostgresServer | undefined> {
  const bin = findBinaries();
  if (!bin) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'darkroom-postgres-'));
  const data = join(folder, 'data');
  const port = await freePort();
  if (asOther.uid) chownSync(folder, nobody, nobody);
  const initdb = ['-D', data, '--no-sync', '-A', 'trust', '-U', 'postgres', '-E', 'UTF8', '--locale=C'];
  await run(join(bin, 'initdb'), initdb, { ...asOther, cwd: folder });
  const settings = Object.entries({
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
    max_connections: 300,
    fsync: 'off',
    synchronous_commit: 'off',
    full_page_writes: 'off',
  }).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const script = 'folder=$1; shift; "$@" & server=$!; read _; kill -QUIT $server; wait $server; rm -rf "$folder"';
  const shell = spawn('sh', ['-c', script, 'sh', folder, join(bin, 'postgres'), '-D', data, ...settings], {
    ...asOther,
    cwd: folder,
    detached: true, // Ctrl-C is for the run, which then stops the server in order
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const ended = once(shell, 'exit');
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
  const stop = async () => {
    shell.stdin.end();
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    return { url, source: bin, version: await versionOf(url), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Asks until the server answers; a just started one needs a moment. */
export async function versionOf(url: string): Promise<string> {
  for (const until = Date.now() + 20_000; ; await sleep(50)) {
    const client = new Client({ connectionString: url, connectionTimeoutMillis: 2000 });
    try {
      await client.connect();
      const { rows } = await client.query<{ server_version: string }>('show server_version');
      return rows[0]?.server_version.split(' ')[0] ?? 'unknown';
    } catch (error) {
      if (Date.now() > until) throw error;
    } finally {
      await client.end().catch(() => {});
    }
  }
}

/** The folder of PostgreSQL's programs. Those that npm brought come first: they are the same on every machine. */
export function findBinaries(): string | undefined {
  const fromNpm = npmPostgres(asOther);
  if (fromNpm) return fromNpm;
  const newestFirst = globSync('/usr/lib/postgresql/*/bin').toSorted((a, b) => majorOf(b) - majorOf(a));
  const onPath = (process.env.PATH ?? '').split(delimiter);
  return [...newestFirst, ...onPath].find((folder) =>
    ['postgres', 'initdb'].every((name) => existsSync(join(folder, name))),
  );
}

function majorOf(folder: string): number {
  return Number(/(\d+)\/bin$/.exec(folder)?.[1] ?? 0);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // a TCP server's address is never a string
  server.close();
  await once(server, 'close');
  return port;
}
