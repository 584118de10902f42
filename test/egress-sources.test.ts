// Sources against a server that misbehaves: every way to fail ends with its own code, and soon.

import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { openTestEgress, problemOf } from './support/egress.ts';
import { openHostileSource, openRawSource, picture } from './support/hostile.ts';

const short = { headersMs: 300, idleMs: 300, totalMs: 10_000 };

async function openBoth(options: Parameters<typeof openTestEgress>[0] = {}) {
  const source = await openHostileSource();
  const egress = openTestEgress({ config: { allowHosts: [source.host] }, ...options });
  return {
    source,
    egress,
    get: (path: string) => egress.fetch(`${source.base}${path}`),
    async [Symbol.asyncDispose]() {
      await egress[Symbol.asyncDispose]();
      await source[Symbol.asyncDispose]();
    },
  };
}

test('a picture arrives whole, with its hash and the host that gave it', async () => {
  await using house = await openBoth();
  const fetched = await house.get('/ok?q=1#top');
  expect(Buffer.concat(fetched.chunks)).toEqual(picture);
  expect(fetched).toMatchObject({ bytes: picture.length, host: house.source.host });
  expect(fetched.sha256).toEqual(createHash('sha256').update(picture).digest());
  expect(house.source.seen[0]).toMatchObject({ method: 'GET', url: '/ok?q=1' });
});

test('a request says who asks, wants pictures unpacked, and counts its hop', async () => {
  await using house = await openBoth();
  await house.get('/ok');
  await house.egress.fetch(`${house.source.base}/ok`, { hop: 2 });
  expect(house.source.seen.map(({ headers }) => headers)).toMatchObject([
    { 'user-agent': 'Darkroom/1.2.3', accept: 'image/*', 'accept-encoding': 'identity', 'darkroom-hop': '1' },
    { 'darkroom-hop': '3' },
  ]);
  expect(Object.keys(house.source.seen[0]?.headers ?? {})).not.toContain('cookie');
});

test('a connection is used again for the next picture', async () => {
  await using house = await openBoth();
  for (let i = 0; i < 5; i++) {
    await house.get('/ok');
    await problemOf(() => house.get('/status?code=404'));
  }
  // Two, because a connection is free only a moment after its body ended.
  expect(house.source.connections()).toBeLessThanOrEqual(2);
});

test.each([
  ['/status?code=404', 'not_found', 404],
  ['/status?code=410', 'not_found', 410],
  ['/status?code=401', 'forbidden', 401],
  ['/status?code=403', 'forbidden', 403],
  ['/status?code=400', 'http_status', 400],
  ['/status?code=418', 'http_status', 418],
  ['/status?code=201', 'http_status', 201],
  ['/status?code=206', 'http_status', 206],
  ['/status?code=304', 'http_status', 304],
  ['/status?code=204', 'empty_body', 204],
  ['/empty', 'empty_body', 200],
  ['/gzip', 'content_encoding', 200],
  ['/huge', 'too_large', 200],
  ['/endless', 'too_large', 200],
])('%s ends with %s and is not tried again', async (path, code, httpStatus) => {
  await using house = await openBoth();
  const problem = await problemOf(() => house.get(path));
  expect(problem).toMatchObject({ code, retryable: false, facts: { host: house.source.host, httpStatus } });
  expect(problem.message).not.toContain('a page');
  expect(problem.message).not.toMatch(/[{}]/);
});

test.each([
  ['408', '', 'rate_limited', undefined],
  ['425', '', 'rate_limited', undefined],
  ['429', '7', 'rate_limited', 7000],
  ['429', '99999', 'rate_limited', 3_600_000],
  ['429', 'soon', 'rate_limited', undefined],
  ['500', '', 'server_error', undefined],
  ['503', '120', 'server_error', 120_000],
  ['503', 'Thu, 01 Jan 1970 00:00:00 GMT', 'server_error', 0],
])('status %s with Retry-After "%s" may be tried again', async (status, after, code, retryAfterMs) => {
  await using house = await openBoth();
  const problem = await problemOf(() => house.get(`/status?code=${status}&after=${encodeURIComponent(after)}`));
  expect(problem).toMatchObject({ code, retryable: true });
  expect(problem.facts).toMatchObject({ httpStatus: Number(status), host: house.source.host });
  expect(problem.facts.retryAfterMs).toBe(retryAfterMs);
});

test('the size of an endless body does not end up in memory', async () => {
  await using house = await openBoth();
  const before = process.memoryUsage().arrayBuffers;
  for (let i = 0; i < 5; i++) expect((await problemOf(() => house.get('/endless'))).code).toBe('too_large');
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10 * 1024 * 1024);
});

test.each([
  ['/hang', 'no headers come'],
  ['/stall', 'the body stops'],
])('%s times out when %s', { timeout: 5000 }, async (path) => {
  await using house = await openBoth({ limits: short });
  expect(await problemOf(() => house.get(path))).toMatchObject({ code: 'timeout', retryable: true });
});

test("what breaks while this process stands still is our own fault, and later silence the host's again", async () => {
  await using house = await openBoth({ limits: short });
  const broken = problemOf(() => house.get('/hang'));
  await wait(50);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2100);
  expect(await broken).toMatchObject({ code: 'unavailable', facts: { host: house.source.host } });
  expect((await problemOf(() => house.get('/status?code=404'))).code).toBe('not_found');
  expect((await problemOf(() => house.get('/hang'))).code).toBe('timeout');
});

test('a drip below the rate floor is given up once its grace is over', async () => {
  await using house = await openBoth({ limits: { graceMs: 300 } });
  const begun = performance.now();
  expect((await problemOf(() => house.get('/drip'))).code).toBe('timeout');
  expect(performance.now() - begun).toBeLessThan(2000);
});

test('a steady stream ends at the total time', async () => {
  await using house = await openBoth({ limits: { totalMs: 400 } });
  expect((await problemOf(() => house.get('/drip'))).code).toBe('timeout');
});

test.each(['/reset', '/cut'])('a connection lost in the middle (%s) may be tried again', async (path) => {
  await using house = await openBoth();
  expect(await problemOf(() => house.get(path))).toMatchObject({ code: 'connect_failed', retryable: true });
});

test('too many bytes of headers are refused', async () => {
  await using house = await openBoth();
  const problem = await problemOf(() => house.get('/flood'));
  expect(problem).toMatchObject({ code: 'too_large', message: 'The host sent more than 16 kB of headers.' });
});

test('headers that drip cannot stretch the time for headers', async () => {
  await using raw = await openRawSource((socket) => {
    socket.write('HTTP/1.1 200 OK\r\n');
    const timer = setInterval(() => socket.write('x-a: b\r\n'), 50);
    socket.on('close', () => clearInterval(timer));
  });
  await using egress = openTestEgress({
    config: { allowHosts: [raw.host] },
    limits: { headersMs: 300, totalMs: 2500 },
  });
  expect((await problemOf(() => egress.fetch(raw.url))).code).toBe('timeout');
});

test.each([
  ['no HTTP at all', 'SSH-2.0-OpenSSH\r\n'],
  ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd'],
  ['a length and chunks', 'HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['a negative length', 'HTTP/1.1 200 OK\r\ncontent-length: -3\r\n\r\nabc'],
  ['a broken chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\nabc'],
])('an answer of %s is a broken connection', async (_what, answer) => {
  await using raw = await openRawSource((socket) => socket.end(answer));
  await using egress = openTestEgress({ config: { allowHosts: [raw.host] } });
  expect((await problemOf(() => egress.fetch(raw.url))).code).toBe('connect_failed');
});

test('a refused connection may be tried again', async () => {
  const { host, base } = await openHostileSource().then(async (source) => {
    await source[Symbol.asyncDispose]();
    return source;
  });
  await using egress = openTestEgress({ config: { allowHosts: [host] } });
  expect(await problemOf(() => egress.fetch(`${base}/ok`))).toMatchObject({ code: 'connect_failed', retryable: true });
});

test('the caller may stop a download and gets the own reason back at once', { timeout: 5000 }, async () => {
  await using house = await openBoth();
  const controller = new AbortController();
  const fetching = house.egress.fetch(`${house.source.base}/hang`, { signal: controller.signal });
  const reason = new Error('lease lost');
  controller.abort(reason);
  await expect(fetching).rejects.toBe(reason);
});

test('no more downloads run at once than are allowed in all', async () => {
  await using house = await openBoth({ limits: { connections: 2, totalMs: 300 } });
  const all = [1, 2, 3, 4].map(async () => (await problemOf(() => house.get('/hang'))).code);
  expect(await Promise.all(all)).toEqual(Array(4).fill('timeout'));
  expect(house.source.seen).toHaveLength(4);
  expect(house.source.peak()).toBe(2);
});

test('no more downloads run at one host than are allowed there', async () => {
  await using house = await openBoth({ limits: { connectionsPerHost: 3 } });
  await Promise.all(Array.from({ length: 12 }, () => house.get('/ok')));
  expect(house.source.peak()).toBeLessThanOrEqual(3);
  expect(house.source.connections()).toBeLessThanOrEqual(3);
});
