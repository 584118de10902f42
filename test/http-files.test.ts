// http-files.test.ts — result files: ranges, conditions, and the headers that keep a browser from running them.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { csv, ended, openServed, type Served } from './support/served.ts';

let served: Served;
let path: string;
let whole: Buffer;
beforeAll(async () => {
  served = await openServed('pglite');
  const { json } = await served.ask('/upload', { form: { file: csv(`1,A,http://${served.pictures.host}/a.jpg\n`) } });
  await served.until(`/status/${json.request_id}`, ended);
  const { text } = await served.ask(`/download/${json.request_id}`);
  path = /\/processed_images\/[^,\s]+/.exec(text)?.[0] ?? '';
  whole = Buffer.from(await (await fetch(served.url + path)).arrayBuffer());
});
afterAll(() => served[Symbol.asyncDispose]());

async function get(headers: Record<string, string> = {}, at = path) {
  const response = await fetch(served.url + at, { headers });
  return { status: response.status, headers: response.headers, body: Buffer.from(await response.arrayBuffer()) };
}

test('a result is immutable, typed by our encoder, and may not run anything', async () => {
  const { status, headers, body } = await get();
  expect(status).toBe(200);
  expect(body.subarray(0, 2).toString('hex')).toBe('ffd8');
  expect(Object.fromEntries(headers)).toMatchObject({
    'content-type': 'image/jpeg',
    'content-length': String(whole.length),
    'cache-control': 'public, max-age=31536000, immutable',
    'content-security-policy': "default-src 'none'; sandbox",
    'cross-origin-resource-policy': 'cross-origin',
    'x-content-type-options': 'nosniff',
    'accept-ranges': 'bytes',
    etag: expect.stringMatching(/^"[0-9a-f]{64}"$/),
  });
});

test('all three addresses of a result give the same bytes', async () => {
  const name = path.split('/').at(-1);
  expect((await get({}, `/v1/files/${name}`)).body.equals(whole)).toBe(true);
  expect((await get({}, `/processed_images/${name}/`)).body.equals(whole)).toBe(true);
});

test('ranges give their part, and a range outside is 416', async () => {
  const last = whole.length - 1;
  const parts: [range: string, start: number, end: number][] = [
    ['bytes=0-0', 0, 0],
    ['bytes=10-19', 10, 19],
    [`bytes=${last}-`, last, last],
    ['bytes=-5', last - 4, last],
    ['bytes=0-999999999', 0, last],
  ];
  for (const [range, start, end] of parts) {
    const { status, headers, body } = await get({ range });
    expect([range, status, headers.get('content-range')]).toEqual([
      range,
      206,
      `bytes ${start}-${end}/${whole.length}`,
    ]);
    expect(body.equals(whole.subarray(start, end + 1))).toBe(true);
  }
  for (const range of [`bytes=${whole.length}-`, 'bytes=-0']) {
    const { status, headers } = await get({ range });
    expect([range, status, headers.get('content-range')]).toEqual([range, 416, `bytes */${whole.length}`]);
    expect(headers.get('cache-control')).toBe('no-store');
  }
  for (const range of ['bytes=5-1', 'bytes=0-1,4-5', 'lines=1-2', 'bytes=-', 'x'])
    expect([range, (await get({ range })).status]).toEqual([range, 200]);
});

test('who has it already is told so, and If-Range asks for the whole when it has changed', async () => {
  const etag = (await get()).headers.get('etag') ?? '';
  for (const known of [etag, `"x", ${etag}`, `W/${etag}`, '*']) {
    const { status, body } = await get({ 'if-none-match': known });
    expect([known, status, body.length]).toEqual([known, 304, 0]);
  }
  expect((await get({ range: 'bytes=0-1', 'if-range': etag })).status).toBe(206);
  expect((await get({ range: 'bytes=0-1', 'if-range': '"other"' })).status).toBe(200);
});

test('HEAD has the length and no body', async () => {
  const response = await fetch(served.url + path, { method: 'HEAD' });
  expect([response.status, response.headers.get('content-length')]).toEqual([200, String(whole.length)]);
  const { json } = await served.ask('/v1/batches');
  const csvHead = await fetch(`${served.url}/download/${json.items[0].id}`, { method: 'HEAD' });
  expect([csvHead.status, csvHead.headers.get('content-length')]).toEqual([200, null]);
});

test('a name that is none, a traversal and a catalog are 404', async () => {
  const { catalog } = await served.app.db.query.selectFrom('batches').select('catalog').executeTakeFirstOrThrow();
  for (const name of ['nothing.jpg', '..%2f..%2fetc%2fpasswd', 'a%00b', 'x'.repeat(290), String(catalog)]) {
    expect([name, (await get({}, `/processed_images/${name}`)).status]).toEqual([name, 404]);
    expect([name, (await get({}, `/v1/files/${name}`)).status]).toEqual([name, 404]);
  }
});
