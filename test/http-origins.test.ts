// http-origins.test.ts — who may come in: names, pages of other origins, keys, and from where strangers are served.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkBind } from '../src/http/auth.ts';
import type { Http } from '../src/http/http.ts';
import { buildServer } from '../src/http/server.ts';
import { patience } from '../src/http/watchdog.ts';
import { routeSets } from '../src/surfaces/dialects.ts';
import { askPatiently } from './support/patiently.ts';
import { openServed, type Served } from './support/served.ts';

const key = `drk_abcdefgh_${'k'.repeat(43)}`;
let served: Served;
beforeAll(async () => {
  served = await openServed('pglite', { work: false });
});
afterAll(() => served[Symbol.asyncDispose]());

/** A server with other settings over the same parts. */
async function withSettings(settings: object): Promise<Http> {
  // An injected request has no socket that could be cut.
  const limits = { ...patience, lingerMs: 3_600_000 };
  return buildServer({ ...served.app, config: { ...served.app.config, ...settings } }, routeSets, limits);
}

describe('without keys', () => {
  const statusOf = async (host: string) => {
    const http = await withSettings({ publicUrl: 'https://pictures.example:8443' });
    const reply = await askPatiently(http, { url: '/livez', headers: { host } });
    await http.close();
    return reply.statusCode;
  };

  test('a name that is not ours is 421: rebinding needs a name', async () => {
    for (const host of ['evil.test', 'evil.test:8000', 'localhost.evil.test', '127.0.0.1.evil.test', 'a@localhost'])
      expect([host, await statusOf(host)]).toEqual([host, 421]);
  });

  test('addresses, localhost and our public name pass, with any port', async () => {
    for (const host of ['localhost', 'LOCALHOST:9', '127.0.0.1:8000', '[::1]:8000', '10.1.2.3', 'pictures.example:1'])
      expect([host, await statusOf(host)]).toEqual([host, 200]);
  });

  test('a page of another origin may read nothing and change nothing', async () => {
    const post = (headers: Record<string, string>) => served.ask('/upload', { method: 'POST', headers });
    for (const origin of ['https://evil.test', 'null', 'http://localhost:1'])
      expect(await post({ origin })).toMatchObject({ status: 403, json: { code: 'foreign_origin' } });
    expect(await post({ 'sec-fetch-site': 'cross-site' })).toMatchObject({ status: 403 });
    const own: Record<string, string>[] = [
      { origin: served.url },
      { origin: 'http://localhost:5173' },
      { 'sec-fetch-site': 'same-origin' },
    ];
    for (const headers of own) expect((await post(headers)).status).toBe(422);
    const read = await served.ask('/v1/batches', { headers: { origin: 'https://evil.test' } });
    expect(read.headers.get('access-control-allow-origin')).toBeNull();
  });

  test('a listed origin gets CORS without credentials', async () => {
    const asked = await served.ask('/v1/batches', { method: 'OPTIONS', headers: { origin: 'http://localhost:5173' } });
    expect(asked.status).toBe(204);
    expect(asked.headers.get('access-control-allow-origin')).toBe('http://localhost:5173');
    expect(asked.headers.get('access-control-allow-methods')).toBe('GET, HEAD, POST, OPTIONS');
    expect(asked.headers.get('access-control-allow-credentials')).toBeNull();
  });

  test('only loopback is served', () => {
    const bind = (host: string, more = {}) => checkBind({ host, apiKey: '', insecureNoAuth: false, ...more });
    for (const host of ['127.0.0.1', 'localhost', '::1', '127.9.9.9']) expect(() => bind(host)).not.toThrow();
    for (const host of ['0.0.0.0', '::', '10.0.0.1', 'my.machine', '127.0.0.1.evil.test'])
      expect(() => bind(host)).toThrow(/DARKROOM_API_KEY.*--insecure-no-auth/);
    expect(() => bind('0.0.0.0', { insecureNoAuth: true })).not.toThrow();
    expect(() => bind('0.0.0.0', { apiKey: key })).not.toThrow();
    expect(() => checkBind({ host: '0.0.0.0', apiKey: '', insecureNoAuth: false }, true)).not.toThrow();
  });
});

describe('with a key', () => {
  let http: Http;
  beforeAll(async () => {
    http = await withSettings({ apiKey: key });
  });
  afterAll(() => http.close());
  let asked = 0;
  // Each from an address of its own: who has no key may not ask often.
  const ask = (method: string, url: string, headers: Record<string, string> = {}) =>
    askPatiently(http, {
      method,
      url,
      headers: { host: 'any.name', ...headers },
      remoteAddress: `10.0.${(asked += 1) >> 8}.${asked & 255}`,
    });

  test('every route that is not public is 401 without it or with another', async () => {
    const bad = { authorization: `Bearer drk_abcdefgh_${'x'.repeat(43)}` };
    for (const { method, path, scope } of http.routeTable)
      for (const headers of [{}, bad, { authorization: 'Basic eDp5' }, { 'x-api-key': 'x' }]) {
        const url = path.replaceAll(/:\w+/g, '01991111-1111-7111-8111-111111111111');
        const { statusCode, headers: got } = await ask(method, url, headers as Record<string, string>);
        const refused = statusCode === 401 && got['www-authenticate'] === 'Bearer';
        expect([method, path, refused]).toEqual([method, path, scope !== 'public']);
      }
  });

  test('it opens them, as Bearer and as X-API-Key', async () => {
    const ways: Record<string, string>[] = [
      { authorization: `Bearer ${key}` },
      { authorization: `bearer ${key}` },
      { 'x-api-key': key },
    ];
    for (const headers of ways) expect((await ask('GET', '/v1/batches', headers)).statusCode).toBe(200);
    expect((await ask('GET', `/v1/batches?key=${key}`)).statusCode).toBe(401);
  });

  test('404 and 405 come before the key', async () => {
    expect((await ask('GET', '/v1/nothing')).statusCode).toBe(404);
    expect((await ask('PUT', '/v1/batches')).statusCode).toBe(405);
  });

  test('a foreign page is refused although it has the key', async () => {
    const headers = { authorization: `Bearer ${key}`, origin: 'https://evil.test' };
    expect((await ask('POST', '/v1/batches', headers)).statusCode).toBe(403);
  });
});

test('a request that came round through three webhooks is the last', async () => {
  const hop = (value: string) => served.ask('/upload', { method: 'POST', headers: { 'darkroom-hop': value } });
  expect((await hop('3')).status).toBe(422);
  expect(await hop('4')).toMatchObject({ status: 508, json: { code: 'webhook_loop' } });
});
