// images.test.ts — surface D: its README's commands, and what it takes and refuses.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runContract } from '../support/contract-files.ts';
import { onEachDatabase } from '../support/databases.ts';
import { faultsOf, jobIntake, jobPath, jobsOn, unknownId } from '../support/jobs.ts';
import { openServed, type Served } from '../support/served.ts';

onEachDatabase((engine) => {
  describe('README D', () => {
    test('runs as written', { timeout: 120_000 }, async () => {
      expect(await runContract('images', engine, 'as written')).toBeGreaterThan(4);
    });
    test('runs with the other slashes', { timeout: 120_000 }, async () => {
      expect(await runContract('images', engine, 'the other way')).toBeGreaterThan(4);
    });
  });

  describe('cases', () => {
    let served: Served;
    beforeAll(async () => {
      served = await openServed(engine);
    });
    afterAll(() => served[Symbol.asyncDispose]());

    const { post, submit, finish, run, sizeAt } = jobsOn(() => served);
    const pictures = (path: string) => `http://${served.pictures.host}${path}`;
    const batches = async () => ((await served.ask('/v1/batches?limit=500')).json.items as unknown[]).length;

    test('the first answer tells where to look and when', async () => {
      const { status, headers, json } = await submit({ imageUrl: pictures('/a.jpg') });
      expect(status).toBe(202);
      expect(json).toEqual({ jobId: expect.stringMatching(/^[0-9a-f-]{36}$/), status: 'PENDING' });
      expect(headers.get('location')).toBe(jobPath(json.jobId));
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
      expect(Object.keys(await finish(json.jobId))).toEqual([
        'jobId',
        'status',
        'resultUrl',
        'errorMessage',
        'attempts',
        'createdAt',
        'updatedAt',
      ]);
    });

    test('D2: an imageUrl that is absent, no URL, of another scheme or no text is a fault at its place', async () => {
      expect(await faultsOf(submit({}))).toEqual([['missing', 'body.imageUrl']]);
      expect(await faultsOf(submit({ imageUrl: 'nope' }))).toEqual([['url_parsing', 'body.imageUrl']]);
      expect(await faultsOf(submit({ imageUrl: 'ftp://a/b' }))).toEqual([['url_scheme', 'body.imageUrl']]);
      expect(await faultsOf(submit({ imageUrl: 5 }))).toEqual([['string_type', 'body.imageUrl']]);
      const { json } = await submit({ transformations: [] });
      expect(json).toEqual({
        detail: [{ type: 'missing', loc: ['body', 'imageUrl'], msg: 'Field required', input: null }],
        code: 'invalid_request',
      });
    });

    test('D3: a body that is not JSON, of another type, or empty, is a fault of the body', async () => {
      for (const body of ['{nope', '"', '[1,']) expect(await faultsOf(post(body))).toEqual([['json_invalid', 'body']]);
      const asText = { 'content-type': 'text/plain' };
      expect(await faultsOf(post('{"imageUrl":"https://a.example/b.png"}', asText))).toEqual([
        ['json_invalid', 'body'],
      ]);
      expect(await faultsOf(post(''))).toEqual([['missing', 'body']]);
      expect(await faultsOf(served.ask(jobIntake, { method: 'POST' }))).toEqual([['missing', 'body']]);
      for (const body of ['5', '[]', '"text"']) expect((await post(body)).status).toBe(422);
    });

    test('D4: transformations that are no list of texts', async () => {
      const send = (transformations: unknown) => faultsOf(submit({ imageUrl: pictures('/a.jpg'), transformations }));
      expect(await send('grayscale')).toEqual([['list_type', 'body.transformations']]);
      expect(await send([5])).toEqual([['string_type', 'body.transformations.0']]);
      expect(await send(['grayscale', { op: 'fit' }])).toEqual([['string_type', 'body.transformations.1']]);
    });

    test('D5: a wrong operation is a fault at its index, with help, and makes no job', async () => {
      const before = await batches();
      const send = async (transformations: string[]) => {
        const { status, json } = await submit({ imageUrl: pictures('/a.jpg'), transformations });
        expect([status, json.code]).toEqual([422, 'invalid_request']);
        return json.detail;
      };
      const [misspelt, ...others] = await send(['grayscale', 'rezise:10x10']);
      expect(misspelt).toMatchObject({ type: 'value_error', loc: ['body', 'transformations', 1] });
      expect([misspelt.msg, others]).toEqual([expect.stringContaining('"resize"'), []]);
      for (const operation of ['resize:0x10', 'resize:99999x1']) {
        const [fault] = await send([operation]);
        expect(fault).toMatchObject({ type: 'value_error', loc: ['body', 'transformations', 0] });
        expect(fault.msg).toMatch(/1.*8192/);
      }
      expect(await send(['stretch:8192x8192'])).toMatchObject([{ type: 'value_error' }]);
      expect(await batches()).toBe(before);
    });

    test('all faults of a request are told at once', async () => {
      const send = faultsOf(submit({ imageUrl: 'ftp://a/b', transformations: ['grayscale', 7, 'rezise:1x1', 'nope'] }));
      expect(await send).toEqual([
        ['string_type', 'body.transformations.1'],
        ['url_scheme', 'body.imageUrl'],
        ['value_error', 'body.transformations.2'],
        ['value_error', 'body.transformations.3'],
      ]);
    });

    test('D9: an inward address is refused in every spelling, naming the setting; our own results are fetched', async () => {
      for (const imageUrl of ['http://127.0.0.1/x', 'http://2130706433/', 'http://[::1]/']) {
        const { status, json } = await submit({ imageUrl });
        expect([imageUrl, status, json.code]).toEqual([imageUrl, 422, 'blocked_address']);
        expect(json.detail).toMatchObject([{ type: 'value_error', loc: ['body', 'imageUrl'] }]);
        expect(json.detail[0].msg).toContain('DARKROOM_ALLOW_HOSTS');
      }
      const first = await run(pictures('/a.jpg'), ['fit:50x']);
      const second = await run(first.resultUrl, ['fit:20x', 'jpeg']);
      expect(await sizeAt(second.resultUrl)).toMatchObject({ format: 'jpeg', width: 20 });
    });

    test('D11: a repeated request is two jobs, with one Idempotency-Key one', async () => {
      const body = { imageUrl: pictures('/a.jpg'), transformations: ['fit:9x'] };
      const [first, second] = [await submit(body), await submit(body)];
      expect(first.json.jobId).not.toBe(second.json.jobId);
      const key = { 'idempotency-key': `d11-${engine}` };
      const once = await submit(body, key);
      const again = await submit({ transformations: [' FIT:9 '], imageUrl: body.imageUrl }, key);
      expect([again.status, again.json]).toEqual([202, once.json]);
      expect(again.headers.get('idempotent-replayed')).toBe('true');
      expect(again.headers.get('location')).toBe(once.headers.get('location'));
      const other = await submit({ ...body, transformations: [] }, key);
      expect(other).toMatchObject({ status: 422, json: { code: 'idempotency_mismatch' } });
    });

    test('D12: an unknown id is 404, no id is 422', async () => {
      expect(await served.ask(jobPath(unknownId))).toMatchObject({ status: 404, json: { detail: 'Job not found' } });
      expect(await faultsOf(served.ask(jobPath('abc')))).toEqual([['uuid_parsing', 'path.jobId']]);
    });

    test('health names version and checks', async () => {
      const { status, json } = await served.ask('/health/');
      expect(status).toBe(200);
      expect(json).toMatchObject({ status: 'ok', checks: { database: 'ok', queue: 'ok', storage: 'ok' } });
      expect(json.version).toMatch(/^\d+\.\d+\.\d+/);
    });
  });

  test('once keys exist the result by id needs one, the result by name none', async () => {
    const key = `drk_abcdefgh_${'k'.repeat(43)}`;
    await using served = await openServed(engine, { work: false, env: { DARKROOM_API_KEY: key } });
    const status = async (path: string, headers = {}) => (await served.ask(path, { headers })).status;
    const byId = `/app/processed_images/${unknownId}.png`;
    for (const path of [byId, jobPath(unknownId)]) {
      expect([path, await status(path)]).toEqual([path, 401]);
      expect([path, await status(path, { authorization: `Bearer ${key}` })]).toEqual([path, 404]);
    }
    expect(await status('/processed_images/x.png')).toBe(404);
  });
});
