// cli-batch.test.ts — `darkroom batch` and `process --url`: what a server holds, seen and changed from a shell.

import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runCommand } from '../src/cli/index.ts';
import { temporaryFolder } from './support/command.ts';
import { openServed, type Served } from './support/served.ts';

let served: Served;
beforeAll(async () => {
  served = await openServed('pglite');
});
afterAll(() => served[Symbol.asyncDispose]());

type Told = { code: number; out: string; err: string };

/** `interrupt`: Ctrl-C comes as soon as the command listens for it. */
async function run(words: string[], { interrupt = false, url = served.url } = {}): Promise<Told> {
  const told = { out: '', err: '' };
  const code = await runCommand([...words, '--url', url], {
    env: {},
    out: { write: (text) => (told.out += text) },
    err: { write: (text) => (told.err += text) },
    onStop: (hear) => {
      if (interrupt) queueMicrotask(() => hear(1));
      return () => {};
    },
    exit: () => {},
  });
  return { code, ...told };
}

const catalog = (...names: string[]) =>
  `S. No.,Product Name,Input Image Urls\n${names.map((name, at) => `${at + 1},P${at},http://${served.pictures.host}/${name}\n`).join('')}`;

async function submit(...names: string[]): Promise<string> {
  const reply = await served.ask('/v1/batches?wait=30', {
    method: 'POST',
    headers: { 'content-type': 'text/csv' },
    body: catalog(...names),
  });
  return reply.json.id as string;
}

test('list, show, watch and download tell of a batch, and the exit code of its failures', async () => {
  const id = await submit('a.jpg', 'gone.jpg');
  const listed = await run(['batch', 'list', '--state', 'partially_succeeded']);
  expect(listed).toMatchObject({
    code: 0,
    out: expect.stringMatching(new RegExp(`^${id} +partially_succeeded +2/2 +1`, 'm')),
  });
  expect(JSON.parse((await run(['batch', 'list', '--json', '--limit', '1'])).out)).toMatchObject({ id });
  const shown = await run(['batch', 'show', id]);
  expect(shown.out).toMatch(/^Images +2: 1 done, 1 failed, 0 canceled, 0 to come/m);
  expect(shown.out).toMatch(/^ +1 x not_found at 127\.0\.0\.1:\d+: The host has no such picture\./m);
  const watched = await run(['batch', 'watch', id]);
  expect([watched.code, watched.err]).toEqual([1, '100.0 %  2/2  partially_succeeded  1 failed\n']);
  const output = await run(['batch', 'download', id]);
  expect(output.out.trim().split(/\r?\n/)).toHaveLength(3);
  await using folder = await temporaryFolder();
  const failed = join(folder.path, 'failed.csv');
  expect((await run(['batch', 'download', id, '--failed', '--out', failed])).code).toBe(0);
  expect(await readFile(failed, 'utf8')).toContain('1:not_found');
});

test('retry, cancel and delete change it', async () => {
  const id = await submit('a.jpg', 'gone.jpg');
  expect(await run(['batch', 'retry', id, '--code', 'timeout'])).toMatchObject({
    code: 1,
    err: expect.stringContaining('nothing to retry'),
  });
  expect(await run(['batch', 'retry', id, '--code', 'not_found'])).toMatchObject({
    code: 0,
    err: expect.stringContaining('tried again: 1.'),
  });
  expect((await run(['batch', 'watch', id, '--quiet'])).code).toBe(1);
  expect(await run(['batch', 'cancel', id])).toMatchObject({ code: 0, err: expect.stringContaining('has ended') });
  expect((await run(['batch', 'delete', id])).code).toBe(0);
  expect(await run(['batch', 'show', id])).toMatchObject({
    code: 2,
    out: '',
    err: expect.stringContaining('Not found.'),
  });
});

test('Ctrl-C ends a watch with 130, a server that is not there is 3, and one that is none of ours too', async () => {
  const release = served.pictures.hold();
  const { json } = await served.ask('/v1/batches', {
    method: 'POST',
    headers: { 'content-type': 'text/csv' },
    body: catalog('b.png'),
  });
  expect(await run(['batch', 'watch', json.id], { interrupt: true })).toMatchObject({ code: 130 });
  release();
  expect(await run(['batch', 'list'], { url: 'http://127.0.0.1:9' })).toMatchObject({ code: 3 });
  const stranger = createServer((socket) => void socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n'));
  await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
  const { port } = stranger.address() as AddressInfo;
  expect(await run(['batch', 'list'], { url: `http://127.0.0.1:${port}` })).toMatchObject({
    code: 3,
    err: expect.stringContaining('is no Darkroom server'),
  });
  stranger.close();
});

test('process --url brings the CSV back, tells the events, and goes on with a batch that was left', async () => {
  await using folder = await temporaryFolder();
  const [input, out] = [join(folder.path, 'in.csv'), join(folder.path, 'out.csv')];
  await writeFile(input, catalog('a.jpg', 'gone.jpg'));
  const words = ['process', input, '--out', out];
  const left = await run([...words, '--pipeline', 'fit:20x/webp'], { interrupt: true });
  expect(left.code).toBe(130);
  const [, id = ''] = /--batch (\S+)$/m.exec(left.err) ?? [];
  expect(existsSync(out)).toBe(false);

  const done = await run([...words, '--batch', id, '--json', '--quiet']);
  expect([done.code, done.err]).toEqual([1, '']);
  const events = done.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string });
  expect(events.map(({ type }) => type).toSorted()).toEqual([
    'batch.created',
    'batch.finished',
    'image.failed',
    'image.succeeded',
  ]);
  const [, first] = (await readFile(out, 'utf8')).split(/\r?\n/);
  expect(first).toMatch(/\/[a-z2-7]{26}\.webp/);
  expect(await readFile(join(folder.path, 'out.failed.csv'), 'utf8')).toContain('1:not_found');

  await writeFile(input, catalog('a.jpg'));
  expect((await run(words)).code).toBe(0);
  expect(existsSync(join(folder.path, 'out.failed.csv'))).toBe(false);
  await writeFile(input, 'a,b\n1,2\n');
  expect(await run(words)).toMatchObject({ code: 2 });
  expect(await run(['process', join(folder.path, 'none.csv'), '--out', out])).toMatchObject({ code: 2 });
});

test('a server with keys is told about in a sentence: exit 4', async () => {
  await using keyed = await openServed('pglite', {
    work: false,
    env: { DARKROOM_API_KEY: `drk_abcdefgh_${'k'.repeat(43)}` },
  });
  const { code, err } = await run(['batch', 'list'], { url: keyed.url });
  expect([code, err]).toEqual([4, expect.stringContaining('--key or DARKROOM_API_KEY')]);
  expect((await run(['batch', 'list', '--key', `drk_abcdefgh_${'k'.repeat(43)}`], { url: keyed.url })).code).toBe(0);
});
