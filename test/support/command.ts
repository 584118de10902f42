// command.ts — runs `darkroom` as a shell would: a process of its own, with nothing in its environment but what a test says.

import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export type Running = {
  out: () => string;
  err: () => string;
  signal: (name: 'SIGINT' | 'SIGTERM') => void;
  /** Resolves with the exit code; null when a signal ended it. */
  ended: Promise<number | null>;
};

/** Starts a command in `folder`. */
export function run(
  folder: string,
  words: string[],
  options: { env?: Record<string, string>; node?: string[] } = {},
): Running {
  const { env = {}, node = [] } = options;
  const child = spawn(process.execPath, [...node, main, ...words], {
    cwd: folder,
    env: { PATH: process.env.PATH ?? '', HOME: folder, TMPDIR: folder, ...env },
  });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const ended = new Promise<number | null>((resolve) => child.on('close', (code) => resolve(code)));
  return { out: () => out, err: () => err, signal: (name) => void child.kill(name), ended };
}

export async function temporaryFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'darkroom-command-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Serves `/ok….png` at once, `/slow….png` when `release` was called, and nothing else. */
export async function openPictures() {
  const picture = await sharp({ create: { width: 60, height: 40, channels: 3, background: '#a04020' } })
    .png()
    .toBuffer();
  const released = Promise.withResolvers<void>();
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    asked.push(path);
    const answer = (): void => void response.writeHead(200, { 'content-type': 'image/png' }).end(picture);
    if (path.startsWith('/ok')) answer();
    else if (path.startsWith('/slow')) void released.promise.then(answer);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: `http://${host}`,
    env: { DARKROOM_ALLOW_HOSTS: host },
    asked,
    release: () => released.resolve(),
    /** A catalog with a row for each list of paths. */
    catalog: (rows: string[][]): string =>
      ['S. No.,Product Name,Input Image Urls']
        .concat(
          rows.map((paths, at) => `${at + 1},P${at + 1},"${paths.map((path) => `http://${host}${path}`).join(',')}"`),
        )
        .join('\n'),
    async [Symbol.asyncDispose]() {
      released.resolve();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
