// http-values.test.ts — values that are well-formed and that no database takes: they are the sender's fault, never ours.

import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { onEachDatabase } from './support/databases.ts';
import { openServed, type Served } from './support/served.ts';

onEachDatabase((engine) => {
  let served: Served;
  let id: string;
  beforeAll(async () => {
    served = await openServed(engine, { work: false });
    const made = await post('/v1/batches', { images: [{ source: { url: `http://${served.pictures.host}/a.jpg` } }] });
    ({ id } = made.json);
  });
  afterAll(() => served[Symbol.asyncDispose]());

  const post = (path: string, body: unknown) =>
    served.ask(path, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json' },
    });

  test('the character U+0000 in a query is 400, in a body 422, with its place', async () => {
    for (const name of ['q', 'surface', 'created_after'])
      expect(await served.ask(`/v1/batches?${name}=a%00b`)).toMatchObject({
        status: 400,
        json: { code: 'invalid_query', errors: [{ pointer: `/${name}` }] },
      });
    for (const name of ['q', 'code', 'host'])
      expect((await served.ask(`/v1/batches/${id}/images?${name}=%00`)).json.code).toBe('invalid_query');
    const url = `http://${served.pictures.host}/a.jpg`;
    const bodies: [path: string, body: unknown, pointer: string][] = [
      ['/v1/batches', { images: [{ source: { upload: 'a\0b' } }] }, '/images/0/source/upload'],
      ['/v1/batches', { images: [{ source: { url } }], name: '\0' }, '/name'],
      ['/v1/batches', { images: [{ source: { url }, ref: '\0' }] }, '/images/0/ref'],
      [`/v1/batches/${id}/retry`, { codes: ['timeout', '\0'] }, '/codes/1'],
      [`/v1/batches/${id}/retry`, { hosts: ['\0'] }, '/hosts/0'],
    ];
    for (const [path, body, pointer] of bodies)
      expect(await post(path, body)).toMatchObject({
        status: 422,
        json: { code: 'invalid_request', errors: [{ pointer }] },
      });
  });

  test('a position beyond every batch is an empty page, and beyond every number 400', async () => {
    const at = (position: string) => served.ask(`/v1/batches/${id}/images?from_position=${position}`);
    expect(await at('2147483647')).toMatchObject({ status: 200, json: { items: [] } });
    expect(await at('2147483648')).toMatchObject({ status: 400, json: { code: 'invalid_query' } });
    expect(await at('999999999999999')).toMatchObject({ status: 400, json: { code: 'invalid_query' } });
  });

  test('a cursor that was written by hand is invalid_cursor, whatever it holds', async () => {
    for (const path of ['/v1/batches', `/v1/batches/${id}/images`])
      for (const key of ['abc', "'", '\0', '', -1, 1.5, 2 ** 31, 1e308, null, true, [], {}])
        expect([key, await served.ask(`${path}?cursor=${forged(path, key)}`)]).toMatchObject([
          key,
          { status: 400, json: { code: 'invalid_cursor' } },
        ]);
    expect((await served.ask(`/v1/batches?cursor=${forged('/v1/batches', 3)}`)).status).toBe(400);
    expect((await served.ask(`/v1/batches?cursor=${forged('/v1/batches', id)}`)).status).toBe(200);
  });
});

/** A cursor as the list of that path gives it out, with a key of our own. */
function forged(path: string, key: unknown): string {
  const filters = createHash('sha256')
    .update(JSON.stringify([path, []]))
    .digest('base64url')
    .slice(0, 12);
  return Buffer.from(JSON.stringify([filters, key])).toString('base64url');
}
