// http-forms.test.ts — forms as clients send them and as attackers do: nothing that is refused is kept.

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { buildServer } from '../src/http/server.ts';
import { routeSets } from '../src/surfaces/dialects.ts';
import { askPatiently } from './support/patiently.ts';
import { openServed, type Served } from './support/served.ts';

let served: Served;
beforeAll(async () => {
  served = await openServed('pglite', {
    work: false,
    env: { DARKROOM_MAX_REQUEST: '100kb', DARKROOM_MAX_CSV: '50kb' },
  });
});
afterAll(() => served[Symbol.asyncDispose]());
let before: string[] = [];
const keys = async () => (await served.app.storage.list(undefined, 1000)).map(({ key }) => key);
beforeEach(async () => {
  before = await keys();
});

const rows = 'S. No.,Product Name,Input Image Urls\n1,A,http://pictures.example/a.jpg\n';
const part = (disposition: string, content: string) =>
  `--x\r\nContent-Disposition: form-data; ${disposition}\r\n\r\n${content}\r\n`;
const file = (content = rows, name = 'a.csv') => part(`name="file"; filename="${name}"`, content);
const end = '--x--\r\n';

async function send(body: string, path = '/upload') {
  const headers = { 'content-type': 'multipart/form-data; boundary=x' };
  const { status, json } = await served.ask(path, { method: 'POST', body, headers });
  return { status, code: json?.code as string | undefined, json };
}
const nothingKept = async () => expect(await keys()).toEqual(before);

test('a field behind the file counts', async () => {
  const bad = await send(file() + part('name="webhook_url"', 'ftp://x') + end);
  expect(bad).toMatchObject({ status: 422, code: 'invalid_url' });
  await nothingKept();
});

test('a bad webhook is told before a bad CSV', async () => {
  expect(await send(file('a,b\n1,2\n') + part('name="webhook_url"', 'ftp://x') + end)).toMatchObject({
    code: 'invalid_url',
  });
  await nothingKept();
});

test('an unfinished form is 400, whatever came before', async () => {
  for (const body of [
    file(),
    `${file()}--x`,
    file().slice(0, -20),
    '--x\r\nContent-Disposition: form-data; name="file"',
  ])
    expect([body, await send(body)]).toEqual([body, expect.objectContaining({ status: 400, code: 'malformed_body' })]);
  await nothingKept();
});

test('a form without a boundary is 400', async () => {
  const headers = { 'content-type': 'multipart/form-data' };
  expect(await served.ask('/upload', { method: 'POST', body: file() + end, headers })).toMatchObject({ status: 400 });
});

test('a field called __proto__ is 400', async () => {
  expect(await send(file() + part('name="__proto__"', 'x') + end)).toMatchObject({
    status: 400,
    code: 'malformed_body',
  });
  await nothingKept();
});

test('two files in one field are refused, two aliases give the first', async () => {
  expect(await send(file() + file() + end)).toMatchObject({ status: 422, code: 'one_file_only' });
  expect(await send(file() + file() + end, '/image_process/upload/')).toMatchObject({
    status: 400,
    code: 'one_file_only',
  });
  await nothingKept();
  const two = part('name="csv"; filename="b.csv"', `${rows}2,B,http://pictures.example/b.jpg\n`) + file() + end;
  expect((await send(two)).json.total_images).toBe(1);
  expect(await keys()).toHaveLength(before.length + 1);
});

test('a part without name and bytes is no file', async () => {
  expect((await send(file('', '') + end)).json.detail[0].type).toBe('missing');
  expect(await send(file('', 'empty.csv') + end)).toMatchObject({ code: 'csv_empty' });
});

test('a file needs no file name, and unknown fields are passed over', async () => {
  expect((await send(part('name="file"', rows) + part('name="colour"', 'red') + end)).status).toBe(200);
  expect((await send(part('name="other"; filename="o"', 'x') + file() + end)).status).toBe(200);
});

test('too much is 413 and names the limit', async () => {
  const many = (count: number, make: (at: number) => string) =>
    Array.from({ length: count }, (_, at) => make(at)).join('');
  const big = file(rows + many(2000, (at) => `${at},A,http://pictures.example/a.jpg\n`));
  expect((await send(big + end)).json.detail).toContain('DARKROOM_MAX_CSV');
  expect((await send(part('name="other"; filename="o"', 'x'.repeat(120_000)) + end)).json.detail).toContain(
    'DARKROOM_MAX_REQUEST',
  );
  expect(await send(file() + many(30, (at) => part(`name="f${at}"`, 'x')) + end)).toMatchObject({ status: 413 });
  expect(await send(file() + part('name="webhook_url"', 'x'.repeat(70_000)) + end)).toMatchObject({
    status: 413,
    code: 'too_large',
  });
  await nothingKept();
});

test('a storage that fails is our fault, and a full one says so', async () => {
  const answer = async (code: string) => {
    const put = () => Promise.reject(Object.assign(new Error('no'), { code }));
    const http = await buildServer({ ...served.app, storage: { ...served.app.storage, put } }, routeSets);
    const headers = { host: 'localhost', 'content-type': 'multipart/form-data; boundary=x' };
    const reply = await askPatiently(http, { method: 'POST', url: '/upload', payload: file() + end, headers });
    await http.close();
    return [reply.statusCode, reply.json().code, reply.headers['retry-after']];
  };
  expect(await answer('ENOSPC')).toEqual([507, 'storage_full', '30']);
  expect(await answer('EIO')).toEqual([500, 'internal', undefined]);
});

test('a JSON body over its limit is 413', async () => {
  const body = JSON.stringify({ file: 'x'.repeat(1_100_000) });
  const reply = await served.ask('/upload', { method: 'POST', body, headers: { 'content-type': 'application/json' } });
  expect(reply).toMatchObject({ status: 413, json: { code: 'too_large' } });
});
