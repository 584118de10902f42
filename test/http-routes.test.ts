// http-routes.test.ts — what holds for every route there is, told from the table of routes itself.

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Http, RouteRow } from '../src/http/http.ts';
import { buildServer } from '../src/http/server.ts';
import { routeSets } from '../src/surfaces/dialects.ts';
import { askPatiently } from './support/patiently.ts';
import { openServed, type Served } from './support/served.ts';

let served: Served;
let http: Http;
let rows: RouteRow[];
beforeAll(async () => {
  served = await openServed('pglite', { work: false });
  http = await buildServer(served.app, routeSets);
  rows = http.routeTable;
});
afterAll(async () => {
  await http.close();
  await served[Symbol.asyncDispose]();
});

const id = '01991111-1111-7111-8111-111111111111';
const pathOf = ({ path }: RouteRow) =>
  path
    .replaceAll(/:(id|request_id)/g, id)
    .replaceAll(/:\w+/g, 'x.jpg')
    .replaceAll('*', 'x');
const gets = () => rows.filter(({ method }) => method === 'GET');
// As a program asks: news come as a page then, and not as a stream that never ends.
const host = { host: 'localhost', accept: 'application/json' };
const ask = (method: string, url: string) => askPatiently(http, { method, url, headers: host });
/** Headers that tell of this one answer only. */
const passing = new Set(['date', 'x-request-id', 'content-length', 'connection', 'keep-alive', 'transfer-encoding']);

test('the table has the routes of every surface', () => {
  const paths = rows.map(({ method, path }) => `${method} ${path}`);
  expect(paths).toEqual(
    expect.arrayContaining([
      'POST /upload',
      'POST /image_process/upload/',
      'POST /v1/batches',
      'GET /livez',
      'GET /openapi.json',
    ]),
  );
});

test('HEAD has the status and the headers of GET, and no body', async () => {
  for (const row of gets()) {
    const [get, head] = [await ask('GET', pathOf(row)), await ask('HEAD', pathOf(row))];
    expect([row.path, head.statusCode, head.body]).toEqual([row.path, get.statusCode, '']);
    const lasting = (headers: object) => Object.entries(headers).filter(([name]) => !passing.has(name));
    expect([row.path, lasting(head.headers)]).toEqual([row.path, lasting(get.headers)]);
  }
});

test('OPTIONS is 204 with Allow, and a wrong method 405 with the same Allow', async () => {
  for (const row of rows) {
    const options = await ask('OPTIONS', pathOf(row));
    expect([row.path, options.statusCode, options.body]).toEqual([row.path, 204, '']);
    const allow = String(options.headers.allow).split(', ');
    expect(allow).toContain(row.method);
    expect(allow.includes('HEAD')).toBe(allow.includes('GET'));
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].filter((each) => !allow.includes(each))) {
      const wrong = await ask(method, pathOf(row));
      expect([row.path, method, wrong.statusCode, wrong.headers.allow]).toEqual([
        row.path,
        method,
        405,
        allow.join(', '),
      ]);
    }
  }
});

test('a slash more or less is the same route, never a redirect', async () => {
  for (const row of gets().filter(({ path }) => path !== '/' && !path.startsWith('/docs'))) {
    const path = pathOf(row);
    const other = path.endsWith('/') ? path.slice(0, -1) : `${path}/`;
    const [written, spelt] = [await ask('GET', path), await ask('GET', other)];
    expect([row.path, spelt.statusCode]).toEqual([row.path, written.statusCode]);
  }
});

test('an unknown path is 404 in the shape of its dialect', async () => {
  const shapes = {
    '/api/v1/nothing': { detail: 'Not Found', code: 'not_found' },
    '/health/nothing': { detail: 'Not Found', code: 'not_found' },
    '/api/nothing': { error: 'Not found', code: 'not_found' },
    '/ws/nothing': { error: 'Not found', code: 'not_found' },
    '/media/nothing': { error: 'Not found', code: 'not_found' },
    '/image_process/nothing': { error: 'Not found', code: 'not_found' },
    '/status': { detail: 'Not Found', code: 'not_found' },
    '/download/a/b': { detail: 'Not Found', code: 'not_found' },
    '/app/processed_images/x': { detail: 'Not Found', code: 'not_found' },
    '/v1/nothing': { code: 'not_found', status: 404, title: 'Not found.' },
    '/statusquo': { code: 'not_found', status: 404 },
    '/%': { code: 'not_found' },
  };
  for (const [path, body] of Object.entries(shapes)) {
    const reply = await ask('GET', path);
    expect([path, reply.statusCode]).toEqual([path, 404]);
    expect(reply.json()).toMatchObject(body);
  }
});

test('every answer carries the headers of safety, also an error', async () => {
  for (const path of [...rows.map(pathOf), '/nothing', '/%', '/v1/batches?x=1']) {
    const { headers } = await ask('GET', path);
    expect([path, headers]).toEqual([
      path,
      expect.objectContaining({
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cross-origin-resource-policy': 'same-origin',
        'x-request-id': expect.stringMatching(/^[\w.-]{1,64}$/),
      }),
    ]);
    const isForAll = path.startsWith('/docs') || path.startsWith('/static');
    expect([path, headers['cache-control']]).toEqual([
      path,
      expect.stringMatching(isForAll ? /./ : /^no-(store|cache)$/),
    ]);
  }
});

test('the documents load nothing from elsewhere', async () => {
  const { headers, body } = await ask('GET', '/docs');
  expect(headers['content-security-policy']).toMatch(/^default-src 'self'/);
  expect(body).not.toMatch(/(src|href)="https?:/);
  const document = (await ask('GET', '/openapi.json')).json();
  expect(document.openapi).toBe('3.1.0');
  expect(document.tags.map(({ name }: { name: string }) => name)).toEqual(routeSets.sets.map(({ name }) => name));
  const operations = Object.values(document.paths).flatMap((path) =>
    Object.values(path as Record<string, { operationId?: string; summary?: string }>),
  );
  expect(operations.filter(({ operationId, summary }) => !operationId || !summary)).toEqual([]);
});

test('the documents tell every kind of body and every success that a route has', async () => {
  const { paths } = (await ask('GET', '/openapi.json')).json();
  const bodiesOf = (path: string) => Object.keys(paths[path].post.requestBody.content).toSorted();
  const statusesOf = (method: string, path: string) =>
    Object.keys(paths[path][method].responses).filter((status) => status.startsWith('2'));
  for (const path of ['/upload', '/image_process/upload/', '/v1/batches'])
    expect(bodiesOf(path)).toEqual(['application/json', 'multipart/form-data', 'text/csv']);
  const { content } = paths['/v1/batches'].post.requestBody;
  expect(content['application/json'].schema.properties).toHaveProperty('images');
  expect(content['multipart/form-data'].schema.properties).toHaveProperty('file');
  expect(content['multipart/form-data'].schema.properties).not.toHaveProperty('images');
  expect(bodiesOf('/v1/batches/{id}/retry')).toEqual(['application/json']);
  expect(statusesOf('post', '/v1/batches')).toEqual(['200', '202']);
  expect(statusesOf('post', '/v1/batches/{id}/cancel')).toEqual(['200', '202']);
  expect(statusesOf('post', '/v1/batches/{id}/retry')).toEqual(['202']);
  expect(statusesOf('delete', '/v1/batches/{id}')).toEqual(['204']);
});

test('a harmless request id is kept, another is replaced', async () => {
  const sent = async (value: string) =>
    (await askPatiently(http, { url: '/livez', headers: { ...host, 'x-request-id': value } })).headers['x-request-id'];
  expect(await sent('abc-1.2_3')).toBe('abc-1.2_3');
  for (const value of ['a b', 'x'.repeat(65), '<b>']) expect(await sent(value)).not.toBe(value);
});

test('a route that does not say who may call it is refused', async () => {
  const careless = { name: 'careless', summary: '', routes: (scope: Http) => void scope.get('/careless', () => 'x') };
  await expect(buildServer(served.app, { ...routeSets, sets: [careless] })).rejects.toThrow('GET /careless');
});
