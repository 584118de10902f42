// native.test.ts — /v1/batches: made from a list or a CSV, watched, listed, retried, canceled, deleted.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { onEachDatabase } from '../support/databases.ts';
import { csv, openServed, type Reply, type Served } from '../support/served.ts';

const json = (body: unknown): RequestInit => ({
  method: 'POST',
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/json' },
});

onEachDatabase((engine) => {
  let served: Served;
  let host: string;
  beforeAll(async () => {
    served = await openServed(engine);
    host = `http://${served.pictures.host}`;
  });
  afterAll(() => served[Symbol.asyncDispose]());

  const list = (...names: string[]) => ({ images: names.map((name) => ({ source: { url: `${host}/${name}` } })) });
  const create = (body: unknown, query = '?wait=20') => served.ask(`/v1/batches${query}`, json(body));
  const pointers = (reply: Reply) => reply.json.errors.map(({ pointer }: { pointer: string }) => pointer);

  test('a list of images becomes a batch that can be waited for', async () => {
    const reply = await create({ ...list('a.jpg', 'gone.jpg'), name: 'two', pipeline: 'compress:40' });
    expect(reply).toMatchObject({
      status: 200,
      json: {
        name: 'two',
        surface: 'native',
        state: 'partially_succeeded',
        counts: { total: 2, succeeded: 1, failed: 1, canceled: 0, remaining: 0 },
        progress: { percent: 100 },
        renditions: { default: ['compress:40'] },
        webhook: null,
      },
    });
    expect(reply.json.bytes.saved_percent).toBeGreaterThan(0);
  });

  test('without wait the answer is 202 with Location and Retry-After', async () => {
    const reply = await create(list('a.jpg'), '');
    expect(reply.status).toBe(202);
    expect(reply.headers.get('location')).toBe(`/v1/batches/${reply.json.id}`);
    expect(reply.headers.get('retry-after')).toBe('2');
    expect((await served.ask(`/v1/batches/${reply.json.id}?wait=20`)).json.state).toBe('succeeded');
  });

  test('a CSV comes as a form or bare, with its fields beside it', async () => {
    const file = () => csv(`${host}/a.jpg\n${host}/b.png\n`, 'mine.csv', 'url\n');
    const form = await served.ask('/v1/batches?wait=20', { form: { pipeline: '["grayscale","webp"]', file: file() } });
    expect(form).toMatchObject({ status: 200, json: { name: 'mine.csv', counts: { succeeded: 2 } } });
    expect(form.json.renditions.default[0]).toBe('grayscale');
    const bare = { method: 'POST', body: file(), headers: { 'content-type': 'text/csv' } };
    const reply = await served.ask('/v1/batches?wait=20&name=bare&pipeline=webp', bare);
    expect(reply).toMatchObject({ status: 200, json: { name: 'bare', state: 'succeeded' } });
  });

  test('every fault of a body is told at once, with a pointer and a guess', async () => {
    const reply = await create({ images: [{ source: { url: 5 }, reff: 'x' }], pipelin: 'webp' });
    expect(reply.status).toBe(422);
    expect(reply.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(pointers(reply).toSorted()).toEqual(['/images/0/reff', '/images/0/source/url', '/pipelin']);
    expect(reply.text).toContain('Did you mean \\"pipeline\\"?');
    expect(pointers(await create({ images: [{ source: {} }, { source: { url: 'ftp://x' } }] }))).toEqual([
      '/images/0/source',
      '/images/1/source',
    ]);
    const wrong = await create({ ...list('a.jpg'), renditions: { big: ['webp', 'grayscal'] } });
    expect(wrong.json.code).toBe('invalid_pipeline');
    expect(pointers(wrong)).toEqual(['/renditions/big/1']);
  });

  test('exactly one of images, catalog and sample is needed', async () => {
    for (const body of [{}, { ...list('a.jpg'), sample: true }, { sample: false }])
      expect(await create(body)).toMatchObject({ status: 422, json: { code: 'invalid_request' } });
    expect(await create({ catalog: { upload: 'x' } })).toMatchObject({ status: 422, json: { code: 'unknown_upload' } });
  });

  test('other bodies are told what is taken here', async () => {
    expect(await served.ask('/v1/batches', { ...json({}), headers: { 'content-type': 'text/xml' } })).toMatchObject({
      status: 415,
    });
    const broken = { ...json({}), body: '{"images":' };
    expect(await served.ask('/v1/batches', broken)).toMatchObject({ status: 400, json: { code: 'malformed_body' } });
    const poisoned = { ...json({}), body: '{"__proto__":{"a":1}}' };
    expect(await served.ask('/v1/batches', poisoned)).toMatchObject({ status: 400 });
  });

  test('an unknown query parameter is refused with a guess', async () => {
    const reply = await served.ask('/v1/batches?limt=3');
    expect(reply).toMatchObject({ status: 400, json: { code: 'invalid_query' } });
    expect(reply.text).toContain('Did you mean \\"limit\\"?');
  });

  test('lists batches newest first, by pages that belong to their filters', async () => {
    const made = [];
    for (let index = 0; index < 3; index++)
      made.push((await create({ ...list('a.jpg'), name: `page ${index}` })).json.id);
    const first = await served.ask('/v1/batches?q=page&limit=2');
    expect(first.json.items.map(({ id }: { id: string }) => id)).toEqual([made[2], made[1]]);
    expect(first.headers.get('link')).toMatch(/^<http:.*cursor=.*>; rel="next"$/);
    const second = await served.ask(`/v1/batches?q=page&limit=2&cursor=${first.json.next_cursor}`);
    expect(second.json).toMatchObject({ items: [{ id: made[0] }], next_cursor: null });
    for (const cursor of [first.json.next_cursor, 'nonsense'])
      expect(await served.ask(`/v1/batches?cursor=${cursor}`)).toMatchObject({
        status: 400,
        json: { code: 'invalid_cursor' },
      });
  });

  test('shows images, failures and problems of a batch', async () => {
    const file = csv(`1,A,"${host}/a.jpg,${host}/gone.jpg"\n2,B,\n`);
    const { json: batch } = await served.ask('/v1/batches?wait=20', { form: { file } });
    const images = await served.ask(`/v1/batches/${batch.id}/images?limit=1`);
    expect(images.json.items).toMatchObject([
      { position: 1, state: 'succeeded', product: { serial_number: '1', name: 'A' } },
    ]);
    const rest = await served.ask(`/v1/batches/${batch.id}/images?limit=1&cursor=${images.json.next_cursor}`);
    expect(rest.json.items).toMatchObject([{ position: 2, error: { code: 'not_found', retryable: false } }]);
    const story = await served.ask(`/v1/images/${images.json.items[0].id}`);
    expect(story.json).toMatchObject({
      attempts: 1,
      history: [{ outcome: 'succeeded' }],
      timings_ms: { fetch: expect.any(Number) },
    });
    const failures = await served.ask(`/v1/batches/${batch.id}/failures`);
    expect(failures.json.items).toMatchObject([
      { code: 'not_found', host: served.pictures.host, count: 1, retryable: false },
    ]);
    const problems = await served.ask(`/v1/batches/${batch.id}/problems`);
    expect(problems.json).toMatchObject({ items: [{ line: 3, code: 'no_image_urls' }], total: 1 });
  });

  test('gives the CSV back as it came, and the failed rows alone', async () => {
    const file = csv(
      `7;A;${host}/a.jpg;red\n8;B;${host}/gone.jpg;blue\n`,
      'x.csv',
      'sku no;Product Name;Image URLs;colour\n',
    );
    const { json: batch } = await served.ask('/v1/batches?wait=20', { form: { file } });
    const output = await served.ask(`/v1/batches/${batch.id}/output.csv`);
    expect(output.text).toMatch(
      /^sku no;Product Name;Image URLs;colour;Output Image Urls;Status;Errors\n7;A;[^;]+;red;http[^;]+\.jpg;succeeded;\n8;/,
    );
    const failed = await served.ask(`/v1/batches/${batch.id}/failed.csv`);
    expect(failed.text.split('\n')).toHaveLength(3);
    expect(failed.headers.get('content-disposition')).toBe(`attachment; filename=failed_${batch.id}.csv`);
  });

  test('retries failed images by code, once per key', async () => {
    const { json: batch } = await create(list('a.jpg', 'gone.jpg'));
    const path = `/v1/batches/${batch.id}/retry`;
    expect(await served.ask(path, json({ codes: ['timeout'] }))).toMatchObject({
      status: 409,
      json: { code: 'nothing_to_retry' },
    });
    expect(await served.ask(path, json({ code: 'timeout' }))).toMatchObject({ status: 422 });
    const asked = {
      ...json({ codes: ['not_found'] }),
      headers: { 'content-type': 'application/json', 'idempotency-key': 'r' },
    };
    const reply = await served.ask(path, asked);
    expect(reply).toMatchObject({ status: 202, json: { retried: 1, batch: { generation: 2 } } });
    const again = await served.ask(path, asked);
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([202, 'true']);
    const last = await served.ask(`/v1/batches/${batch.id}?wait=20`);
    expect(last.json).toMatchObject({
      state: 'partially_succeeded',
      generation: 2,
      counts: { failed: 1, succeeded: 1 },
    });
  });

  test('cancels what waits, deletes what has ended, and refuses to delete what runs', async () => {
    const release = served.pictures.hold();
    const { json: batch } = await create(
      list(...Array.from({ length: 400 }, (_, index) => `a.jpg?cancel=${index}`)),
      '',
    );
    const path = `/v1/batches/${batch.id}`;
    expect(await served.ask(path, { method: 'DELETE' })).toMatchObject({
      status: 409,
      json: { code: 'batch_running' },
    });
    expect(await served.ask(`${path}/output.csv`)).toMatchObject({ status: 409, json: { code: 'not_ready' } });
    expect(await served.ask(`${path}/cancel`, { method: 'POST' })).toMatchObject({ status: 202 });
    release();
    const { json: last } = await served.ask(`${path}?wait=20`);
    expect(last.counts.remaining).toBe(0);
    expect(last.counts.canceled).toBeGreaterThan(0);
    expect(await served.ask(`${path}/cancel`, { method: 'POST' })).toMatchObject({
      status: 200,
      json: { state: last.state },
    });
    expect((await served.ask(path, { method: 'DELETE' })).status).toBe(204);
    expect(await served.ask(path)).toMatchObject({ status: 404, json: { code: 'not_found' } });
  });

  test('tells what it can do: operations, errors, the check of a pipeline', async () => {
    const operations = (await served.ask('/v1/operations')).json.items.map(({ name }: { name: string }) => name);
    expect(operations).toEqual(expect.arrayContaining(['resize', 'grayscale', 'compress']));
    const errors = (await served.ask('/v1/errors')).json.items;
    expect(errors).toContainEqual(expect.objectContaining({ code: 'not_found', status: 404, retryable: false }));
    expect((await served.ask('/v1/pipelines/check', json({ pipeline: ' Grayscale / WEBP ' }))).status).toBe(200);
    expect(await served.ask('/v1/pipelines/check', json({ pipeline: 'grayscal' }))).toMatchObject({ status: 422 });
  });

  test('metadata that has not changed is 304', async () => {
    const first = await served.ask('/v1/operations');
    const etag = first.headers.get('etag') ?? '';
    expect(etag).toMatch(/^W\//);
    const second = await served.ask('/v1/operations', { headers: { 'if-none-match': etag } });
    expect([second.status, second.text]).toEqual([304, '']);
  });
});
