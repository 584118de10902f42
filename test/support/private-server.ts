// private-server.ts — a foreign server for one test file: own folder, own ports, gone with the file however it ends.
//
// A small shell stands between: when the tests die without a word its end of the pipe closes, and the shell kills the
// server with all its children and removes the folder. The name of a signal on that pipe ends the server and keeps the
// folder, so that it can start again on what it had written.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

export type ServerCommand = {
  folder: string;
  command: string[];
  env?: Record<string, string>;
  port: number;
  /** A shell command that runs when it has ended for good. */
  afterwards?: string;
};

export type PrivateServer = {
  /** The shell that stands between: the root of everything it started. */
  pid(): number;
  /** Starts it again after `kill`, on the same port and folder. */
  start(): Promise<void>;
  /** kill -9, or another signal; resolves when it is gone. What is in the folder stays. */
  kill(signal?: 'KILL' | 'TERM'): Promise<void>;
  /** Ends it and removes the folder. */
  stop(): Promise<void>;
};

// setsid gives the server a group of its own, so that its children end with it.
const script = `setsid "$@" & server=$!; read word; kill -\${word:-KILL} -$server; wait $server 2>/dev/null
[ "$word" ] || { eval "$AFTERWARDS"; rm -rf "$FOLDER"; }`;
const startMs = 60_000;

export async function startServer(given: ServerCommand): Promise<PrivateServer> {
  let running = await run(given);
  const end = async (word: string): Promise<void> => {
    running.stdin?.end(word);
    if (running.exitCode === null) await once(running, 'exit');
  };
  return {
    pid: () => running.pid ?? 0,
    async kill(signal = 'KILL') {
      await end(`${signal}\n`);
      // The shell is gone, and one of its grandchildren may still be dying.
      while (await answers(given.port)) await sleep(10);
    },
    async start() {
      running = await run(given);
    },
    async stop() {
      await end('');
      // After a kill no shell is left to do this.
      const { folder, env, afterwards = ':' } = given;
      await promisify(execFile)('sh', ['-c', `${afterwards}; true`], { env: { PATH: process.env.PATH ?? '', ...env } });
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function run({ folder, command, env = {}, port, afterwards = ':' }: ServerCommand) {
  const shell = spawn('sh', ['-c', script, 'sh', ...command], {
    env: { PATH: process.env.PATH ?? '', ...env, FOLDER: folder, AFTERWARDS: afterwards },
    cwd: folder,
    detached: true, // Ctrl-C is for the run, which then ends the server in order
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  for (const until = Date.now() + startMs; !(await answers(port)); await sleep(50)) {
    if (Date.now() < until) continue;
    shell.stdin.end();
    throw new Error(`${command[0] ?? ''} did not answer on port ${port} within ${startMs / 1000} s`);
  }
  return shell;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** The first of `names` in `folders` or on PATH. */
export function findProgram(names: string[], folders: string[] = []): string | undefined {
  const places = [...folders, ...(process.env.PATH ?? '').split(delimiter)];
  return names.flatMap((name) => places.map((folder) => join(folder, name))).find((path) => existsSync(path));
}
