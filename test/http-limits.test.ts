// http-limits.test.ts — how often may be asked once there are keys: by key, by address, for files that do not exist.

import { assert, ipV6, property } from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clientOf } from '../src/http/address.ts';
import type { Http } from '../src/http/http.ts';
import { buildServer } from '../src/http/server.ts';
import { patience } from '../src/http/watchdog.ts';
import { routeSets } from '../src/surfaces/dialects.ts';
import { askPatiently } from './support/patiently.ts';
import { openServed, type Served } from './support/served.ts';

const apiKey = `drk_abcdefgh_${'k'.repeat(43)}`;
const rates = { rateReads: 60, rateWrites: 12 };
let served: Served;
let http: Http;
let other: string;
beforeAll(async () => {
  served = await openServed('pglite', { work: false });
  http = await serverWith({ apiKey, ...rates });
  const made = await askPatiently(http, {
    method: 'POST',
    url: '/v1/admin/keys',
    headers: bearer(apiKey),
    payload: { name: 'other', scope: 'write' },
  });
  other = made.json().key;
});
afterAll(async () => {
  await http.close();
  await served[Symbol.asyncDispose]();
});

const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
const serverWith = (settings: object) =>
  buildServer({ ...served.app, config: { ...served.app.config, ...settings } }, routeSets, {
    ...patience,
    lingerMs: 3_600_000,
  });
type Asked = { method?: 'GET' | 'POST'; url?: string; headers?: Record<string, string>; address?: string };
const ask = (server: Http, { method = 'GET', url = '/v1/operations', headers = {}, address = '10.9.9.9' }: Asked) =>
  askPatiently(server, { method, url, headers, remoteAddress: address, ...(method === 'POST' && { payload: {} }) });
/** The statuses of `count` requests, each with how often it came. */
async function tally(server: Http, count: number, asked: Asked): Promise<Record<number, number>> {
  const statuses: Record<number, number> = {};
  for (let n = 0; n < count; n++) {
    const { statusCode } = await ask(server, asked);
    statuses[statusCode] = (statuses[statusCode] ?? 0) + 1;
  }
  return statuses;
}

describe('with keys', () => {
  test('writes beyond the burst are 429 with Retry-After, and what is left is told', async () => {
    const write = { method: 'POST', url: '/v1/webhooks/test', headers: bearer(other) } as const;
    const first = await ask(http, write);
    expect(first.headers['ratelimit-policy']).toBe('"writes";q=12;w=60');
    expect(first.headers.ratelimit).toBe('"writes";r=1;t=5');
    const statuses = await tally(http, 30, write);
    expect(statuses[429]).toBeGreaterThan(0);
    const refused = await ask(http, write);
    expect(refused.json()).toMatchObject({ code: 'rate_limited', status: 429 });
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
  });

  test('reads have a share of their own, and so has every key', async () => {
    expect((await ask(http, { headers: bearer(other) })).headers['ratelimit-policy']).toBe('"reads";q=60;w=60');
    const write = { method: 'POST', url: '/v1/webhooks/test', headers: bearer(apiKey) } as const;
    expect((await ask(http, write)).statusCode).toBe(200);
    // A check of a pipeline is a POST that changes nothing.
    const check = await askPatiently(http, {
      method: 'POST',
      url: '/v1/pipelines/check',
      headers: bearer(other),
      payload: { pipeline: 'webp' },
    });
    expect(check.headers['ratelimit-policy']).toBe('"reads";q=60;w=60');
  });

  test('who has no key may ask sixty times a minute, whatever it forges', async () => {
    const forged = (n: number) => ({ address: '10.1.1.1', headers: { 'x-forwarded-for': `10.7.7.${n}` } });
    const statuses: number[] = [];
    for (let n = 0; n < 90; n++) statuses.push((await ask(http, forged(n))).statusCode);
    expect(statuses[0]).toBe(401);
    expect(statuses).toContain(429);
    expect((await ask(http, { address: '10.1.1.2' })).statusCode).toBe(401);
    expect((await ask(http, { address: '10.1.1.1', headers: bearer(apiKey) })).statusCode).toBe(200);
    expect((await ask(http, { address: '10.1.1.1', url: '/livez' })).statusCode).toBe(200);
  });

  test('names of result files cannot be guessed for long', async () => {
    const statuses = await tally(http, 160, { url: '/v1/files/nosuchfile.jpg', address: '10.2.2.2' });
    expect(statuses[404]).toBeGreaterThanOrEqual(100);
    expect(statuses[429]).toBeGreaterThan(0);
    expect((await ask(http, { url: '/v1/files/nosuchfile.jpg', address: '10.2.2.3' })).statusCode).toBe(404);
  });
});

test('without keys nothing is counted', async () => {
  // The key above lies in the database, so this server needs one of its own.
  await using alone = await openServed('pglite', { work: false });
  const server = await buildServer({ ...alone.app, config: { ...alone.app.config, ...rates } }, routeSets);
  const reply = await ask(server, { headers: { host: 'localhost' } });
  expect(reply.headers.ratelimit).toBeUndefined();
  expect(await tally(server, 100, { headers: { host: 'localhost' } })).toEqual({ 200: 100 });
  await server.close();
});

describe('addresses', () => {
  test('one household of IPv6 is one client, in every spelling', () => {
    for (const address of ['2001:db8:1:2::1', '2001:db8:1:2:ffff::9', '2001:0db8:0001:0002:0:0:0:3'])
      expect(clientOf(address)).toBe('2001:db8:1:2');
    expect(clientOf('2001:db8::1')).toBe('2001:db8:0:0');
    expect(clientOf('::ffff:10.0.0.1')).toBe('10.0.0.1');
    expect(clientOf('::1')).toBe('0:0:0:0');
  });

  test('whatever the last half of an address is, the client is the same', () => {
    assert(
      property(ipV6(), (address) => {
        const client = clientOf(address);
        expect(clientOf(`${client}:1:2:3:4`)).toBe(client);
      }),
    );
  });
});
