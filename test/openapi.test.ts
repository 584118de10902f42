// openapi.test.ts — the API document tells of every route, completely, and what it tells is what is answered.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RouteRow } from '../src/http/http.ts';
import { buildServer } from '../src/http/server.ts';
import { routeSets } from '../src/surfaces/dialects.ts';
import { faultsOf, operationsOf, promisedBy, resolved, type Document, type Operation } from './support/documented.ts';
import { csv, ended, openServed, type Reply, type Served } from './support/served.ts';

let served: Served;
let document: Document;
let operations: Operation[];
let rows: RouteRow[];
beforeAll(async () => {
  served = await openServed('pglite');
  document = (await served.ask('/openapi.json')).json;
  operations = operationsOf(document);
  const http = await buildServer(served.app, routeSets);
  rows = http.routeTable;
  await http.close();
});
afterAll(() => served[Symbol.asyncDispose]());

const nameOf = ({ method, path }: Operation) => `${method.toUpperCase()} ${path}`;
const contentsOf = ({ requestBody, responses }: Operation) =>
  [requestBody, ...Object.values(responses)].flatMap((each) => Object.entries(each?.content ?? {}));
const successesOf = ({ responses }: Operation) =>
  Object.entries(responses).filter(([status]) => status.startsWith('2'));

describe('the document', () => {
  test('tells of every route but pages and sockets', () => {
    const hidden = /^\/($|docs|redoc|openapi\.json|assets|batches|images|admin|help|list|async-upload|ws\/)/;
    const routes = rows
      .filter(({ path }) => !hidden.test(path))
      .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`);
    expect(operations.map(nameOf).toSorted()).toEqual([...new Set(routes)].toSorted());
    expect(routes.length).toBeGreaterThan(55);
  });

  test('gives each operation a name of its own, a summary and the tag of its surface', () => {
    const ids = operations.map(({ operationId }) => operationId ?? '');
    expect(ids.filter((id) => !/^[a-z]+([A-Z][a-z]*)*$/.test(id))).toEqual([]);
    expect(new Set(ids).size).toBe(ids.length);
    const surfaces = new Set(routeSets.sets.map(({ name }) => name));
    for (const { operationId, summary, tags = [] } of operations) {
      expect([operationId, summary]).toEqual([operationId, expect.stringMatching(/^[A-Z].{4,}/)]);
      expect([operationId, tags.map((tag) => surfaces.has(tag))]).toEqual([operationId, [true]]);
    }
  });

  test('has an example of everything sent and answered, and each fits its schema', () => {
    for (const operation of operations) {
      for (const [type, { schema, example, examples }] of contentsOf(operation)) {
        const shown = examples ? Object.values(resolved(document, examples) as object) : [{ value: example }];
        expect([nameOf(operation), type, shown.length > 0]).toEqual([nameOf(operation), type, true]);
        for (const { value } of shown)
          expect([nameOf(operation), type, faultsOf(document, schema ?? { not: {} }, value)]).toEqual([
            nameOf(operation),
            type,
            [],
          ]);
      }
      for (const { name, schema, example } of operation.parameters ?? [])
        expect([nameOf(operation), name, faultsOf(document, schema, example)]).toEqual([nameOf(operation), name, []]);
    }
  });

  test('types every success', () => {
    for (const operation of operations) {
      expect([nameOf(operation), successesOf(operation).length > 0]).toEqual([nameOf(operation), true]);
      for (const [status, { content = {} }] of successesOf(operation)) {
        const untyped = Object.entries(content).filter(([, { schema = {} }]) => {
          const { type, anyOf } = resolved(document, schema) as { type?: string; anyOf?: unknown };
          return type === undefined && anyOf === undefined;
        });
        expect([nameOf(operation), status, untyped]).toEqual([nameOf(operation), status, []]);
        expect([nameOf(operation), status, Object.keys(content).length > 0]).toEqual([
          nameOf(operation),
          status,
          status !== '204',
        ]);
      }
    }
  });

  test('tells what every operation can refuse, in the error form of its surface', () => {
    const forms: Record<string, string> = {
      uploads: 'ErrorBody',
      image_process: 'ErrorBody',
      catalog: 'DetailBody',
      images: 'DetailBody',
      tasks: 'DetailBody',
    };
    const lacking = operations.flatMap((operation) => {
      const { responses, security = [], path } = operation;
      const wanted = [...(security.length > 0 ? [401, 403, 429, 503] : []), ...(/id\}/i.test(path) ? [404] : [])];
      return wanted.filter((status) => !(status in responses)).map((status) => `${nameOf(operation)} ${status}`);
    });
    expect(lacking).toEqual([]);
    for (const operation of operations) {
      const { responses, tags = [], path } = operation;
      const form = path === '/health' ? 'DetailBody' : (forms[tags[0] ?? ''] ?? 'Problem');
      // A probe that is not well has the same body as one that is.
      const problems = Object.entries(responses).filter(
        ([status]) => status >= '400' && !(status === '503' && tags[0] === 'health'),
      );
      for (const [status, { content = {} }] of problems)
        expect([nameOf(operation), status, Object.values(content).map(({ schema }) => schema)]).toEqual([
          nameOf(operation),
          status,
          [{ $ref: `#/components/schemas/${form}` }],
        ]);
    }
  });
});

describe('what is answered', () => {
  const unknown = '01991111-1111-7111-8111-111111111111';

  /** Asks an operation; says how the answer differs from what the document promises. */
  async function ask(
    operation: Operation,
    path: string,
    init?: RequestInit,
  ): Promise<{ reply: Reply; faults: string[] }> {
    const reply = await served.ask(path, { method: operation.method.toUpperCase(), ...init });
    const type = reply.headers.get('content-type') ?? '';
    const schema = promisedBy(operation, reply.status, type);
    const found = schema ? faultsOf(document, schema, reply.json ?? '(bytes)') : [];
    return { reply, faults: found.map((fault) => `${nameOf(operation)} ${reply.status} ${fault}`) };
  }
  /** The same of many, each asked by its own path. */
  async function askAll(asked: Operation[], pathOf: (operation: Operation) => string) {
    const replies = new Map<string, Reply>();
    const faults: string[] = [];
    for (const operation of asked) {
      const answer = await ask(operation, pathOf(operation), { headers: { accept: 'application/json' } });
      faults.push(...answer.faults);
      replies.set(operation.operationId ?? '', answer.reply);
    }
    expect(faults).toEqual([]);
    return replies;
  }
  const reads = () => operations.filter(({ method }) => method === 'get');
  const fill = (path: string, values: Record<string, string>) =>
    path.replaceAll(/\{(\w+)\}/g, (_, name: string) => values[name] ?? unknown);

  test('is documented for ids that are unknown and for bodies that are not there', async () => {
    const replies = await askAll(operations, ({ path }) => fill(path, { name: 'x.jpg' }));
    expect(replies.get('getBatch')?.status).toBe(404);
    expect(replies.get('uploadCatalog')?.status).toBe(422);
  });

  test('is documented for ids that are none, and for queries that nobody knows', async () => {
    await askAll(reads(), ({ path }) =>
      fill(path, { id: 'abc', request_id: 'abc', jobId: 'abc', task_id: 'abc', name: 'abc' }),
    );
    const searches = reads().filter(({ parameters = [] }) => parameters.some((each) => each.in === 'query'));
    expect(searches.length).toBeGreaterThan(10);
    await askAll(searches, ({ path }) => `${fill(path, { name: 'x.jpg' })}?limit=many&partial=2`);
  });

  test('is documented for what is there', { timeout: 120_000 }, async () => {
    const { host } = served.pictures;
    const images = ['a.jpg', 'b.png', 'gone.jpg'].map((name) => ({ source: { url: `http://${host}/${name}` } }));
    const headers = { 'content-type': 'application/json' };
    const post = (body: object) => ({ method: 'POST', headers, body: JSON.stringify(body) });
    const batch = await served.ask('/v1/batches?wait=60', post({ images }));
    const { json: accepted } = await served.ask('/upload', { form: { file: csv('1,Cup,http://127.0.0.1:9/x.jpg\n') } });
    await served.until(`/status/${accepted.request_id}`, ended);
    const { items } = (await served.ask(`/v1/batches/${batch.json.id}/images?limit=1`)).json;
    const [image] = items;
    const [{ url }] = image.renditions;
    const file = String(url).split('/').at(-1) ?? '';
    const known = { request_id: batch.json.id, jobId: image.id, task_id: image.id, name: file };
    const idOf = (path: string) => (path.includes('/images/{id}') ? image.id : batch.json.id);
    const replies = await askAll(reads(), ({ path }) => fill(path, { ...known, id: idOf(path) }));
    const away = [...replies].filter(([, { status }]) => status !== 200).map(([name]) => name);
    // An image by URL has no original; the others have ids of their own.
    expect(away.toSorted()).toEqual(['getDelivery', 'getImageOfJob', 'getImageSource', 'samplePicture']);
    expect(replies.get('followEvents')?.json.items.length).toBeGreaterThan(4);

    const createBatch = operations.find(({ operationId }) => operationId === 'createBatch') as Operation;
    const rehearsed = await ask(createBatch, '/v1/batches?dry_run=true', post({ sample: true }));
    expect([rehearsed.faults, rehearsed.reply.json.images]).toEqual([[], 13]);
    const begun = await ask(createBatch, '/v1/batches', post({ images }));
    expect([begun.faults, begun.reply.status]).toEqual([[], 202]);
  });

  test('names the page about a problem as its type', async () => {
    const { json } = await served.ask(`/v1/batches/${unknown}`);
    expect(json.type).toBe(`${served.app.config.publicUrl}/help/errors#not_found`);
    const help = await served.ask(new URL(json.type).pathname, { headers: { accept: 'text/html' } });
    expect(help.headers.get('content-type')).toBe('text/html; charset=utf-8');
  });
});
