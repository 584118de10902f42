// http-raw.test.ts — what comes over a plain socket: no exit, no 5xx, no connection held.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Http } from '../src/http/http.ts';
import { buildServer } from '../src/http/server.ts';
import { patience } from '../src/http/watchdog.ts';
import { routeSets } from '../src/surfaces/dialects.ts';
import { corpusFile, hasCorpora } from './support/corpora.ts';
import { sendRaw } from './support/raw.ts';
import { openServed, type Served } from './support/served.ts';

let served: Served;
beforeAll(async () => {
  served = await openServed('pglite', { work: false });
});
afterAll(() => served[Symbol.asyncDispose]());

const head = (path: string, ...lines: string[]) =>
  [`POST ${path} HTTP/1.1`, 'Host: localhost', ...lines, '', ''].join('\r\n');
const raw = (text: string) => sendRaw(served.url, text, { ms: 3000 });

test('what is no HTTP is 400 in the shape of the path it named, and closed', async () => {
  const wrong = await raw('GET /image_process/x HTTP/1.1\r\nHost: localhost\r\nBad Header\r\n\r\n');
  expect(wrong.text).toMatch(
    /^HTTP\/1\.1 400 [^]*x-content-type-options: nosniff[^]*connection: close[^]*\{"error":".*","code":"malformed_body"\}$/,
  );
  expect((await raw('GET /status/x HTTP/1.1\r\nHost: localhost\r\nBad Header\r\n\r\n')).text).toContain('{"detail":');
  expect((await raw('\0\0\0\r\n\r\n')).text).toContain('application/problem+json');
});

test('headers and paths have limits', async () => {
  expect((await raw(head('/upload', `X: ${'a'.repeat(20_000)}`))).status).toBe(431);
  expect(
    (await raw(head('/upload', ...Array.from({ length: 120 }, (_, at) => `X-${at}: a`), 'Content-Length: 0'))).status,
  ).toBe(431);
  expect((await raw(head(`/upload?${'a'.repeat(9000)}`, 'Content-Length: 0'))).status).toBe(414);
});

test('a request of two meanings is refused', async () => {
  const both = head('/upload', 'Content-Length: 3', 'Transfer-Encoding: chunked');
  expect((await raw(`${both}0\r\n\r\n`)).status).toBe(400);
  expect((await raw(head('/upload', 'Content-Length: 3', 'Content-Length: 4'))).status).toBe(400);
});

test('a body that does not come is 408, and the connection ends', async () => {
  const limits = { ...patience, quickMs: 200, windowMs: 200, lingerMs: 200 };
  const http: Http = await buildServer(served.app, routeSets, limits);
  const url = await http.listen({ host: '127.0.0.1', port: 0 });
  try {
    const json = head('/v1/batches', 'Content-Type: application/json', 'Content-Length: 100');
    const form = head('/upload', 'Content-Type: multipart/form-data; boundary=x', 'Content-Length: 100000');
    const text = head('/upload', 'Content-Type: text/csv', 'Content-Length: 100000');
    for (const request of [`${json}{`, `${form}--x\r\n`, `${text}S. No.,Prod`]) {
      const answer = await sendRaw(url, request, { ms: 5000, end: false });
      expect([request, answer.status]).toEqual([request, 408]);
      expect(answer.ms).toBeLessThan(3000);
    }
    await expect.poll(openFiles, { timeout: 5000 }).toEqual([]);
  } finally {
    await http.close();
  }
});

test('a client that hangs up in the middle leaves nothing behind', async () => {
  const rows = `--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\nS. No.,Product Name,Input Image Urls\r\n1,A,http`;
  await sendRaw(
    served.url,
    head('/upload', 'Content-Type: multipart/form-data; boundary=x', 'Content-Length: 100000') + rows,
    { ms: 300, end: false },
  );
  await expect.poll(openFiles, { timeout: 5000 }).toEqual([]);
  expect(await served.app.storage.list(undefined, 10)).toEqual([]);
  expect((await served.ask('/livez')).status).toBe(200);
});

/** Files in storage's folder that this process still holds open. */
const openFiles = () =>
  readdirSync('/proc/self/fd')
    .map((fd) => readlink(`/proc/self/fd/${fd}`))
    .filter((path) => path.includes('/files/tmp/'));

function readlink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

const files = (folder: string) =>
  hasCorpora
    ? readdirSync(corpusFile(folder)).map((name) => ({ name, bytes: readFileSync(join(corpusFile(folder), name)) }))
    : [];

test.skipIf(!hasCorpora)('raw requests of the corpus end in no 5xx', { timeout: 180_000 }, async () => {
  const answers = await inGroups(files('http/gofuzz-httpreq'), ({ bytes }) => sendRaw(served.url, bytes, { ms: 1500 }));
  expect(answers).toHaveLength(300);
  expect(answers.filter(({ status }) => status !== undefined && status >= 500)).toEqual([]);
  expect((await served.ask('/livez')).status).toBe(200);
});

test.skipIf(!hasCorpora)(
  'form, gzip and JSON bodies of the corpora are 4xx or taken, within a second',
  { timeout: 300_000 },
  async () => {
    const forms = files('http/gofuzz-multipart').map(({ bytes }) => {
      const boundary = /^--([^\r\n]{1,70})/.exec(bytes.toString('latin1'))?.[1] ?? 'x';
      return { type: `multipart/form-data; boundary="${boundary.replaceAll(/["\\]|[^\x20-\x7e]/g, '')}"`, bytes };
    });
    const zips = files('http/gofuzz-gzip').map(({ bytes }) => ({ type: 'text/csv', bytes, coding: 'gzip' }));
    const jsons = ['gofuzz-json', 'json-testsuite']
      .flatMap((set) => files(`json/${set}`))
      .map(({ bytes }) => ({ type: 'application/json', bytes }));
    const bodies: { type: string; bytes: Buffer; coding?: string }[] = [...forms, ...zips, ...jsons];
    expect(bodies).toHaveLength(295 + 154 + 468);
    const uploads = ['/api/upload', '/api/async/upload', '/api/async/batch/upload'];
    for (const path of ['/upload', '/image_process/upload/', '/v1/batches', '/v1/pipelines/check', ...uploads]) {
      const wrong = await inGroups(bodies, async ({ type, bytes, coding }) => {
        const headers = { 'content-type': type, ...(coding && { 'content-encoding': coding }) };
        const { status } = await served.ask(path, { method: 'POST', body: Uint8Array.from(bytes), headers });
        return status >= 500 || status < 200 ? [path, status, bytes.toString('latin1').slice(0, 200)] : undefined;
      });
      expect(wrong.filter(Boolean)).toEqual([]);
    }
    expect((await served.ask('/livez')).status).toBe(200);
  },
);

async function inGroups<Item, Result>(items: Item[], work: (item: Item) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  for (let at = 0; at < items.length; at += 20)
    results.push(...(await Promise.all(items.slice(at, at + 20).map(work))));
  return results;
}
