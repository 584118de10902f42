// native-images.test.ts — /v1/images: found over all batches, waited for, retried, canceled, deleted.

import sharp from 'sharp';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { onEachDatabase } from '../support/databases.ts';
import { csv, openServed, type Reply, type Served } from '../support/served.ts';

const json = (body: unknown, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/json', ...headers },
});
const post = { method: 'POST' };
type Item = { id: string; position: number; state: string };

onEachDatabase((engine) => {
  let served: Served;
  let host: string;
  let photo: File;
  beforeAll(async () => {
    served = await openServed(engine);
    host = `http://${served.pictures.host}`;
    const drawn = sharp({ create: { width: 64, height: 40, channels: 3, background: '#357' } });
    photo = new File([new Uint8Array(await drawn.png().toBuffer())], 'Photo_1%.png');
  });
  afterAll(() => served[Symbol.asyncDispose]());
  beforeEach(() => served.app.db.query.deleteFrom('batches').execute());

  const batchOf = async (...images: unknown[]): Promise<{ id: string; items: Item[] }> => {
    const reply = await served.ask('/v1/batches?wait=30', json({ images }));
    expect(reply.status, reply.text).toBe(200);
    const { json: listed } = await served.ask(`/v1/batches/${reply.json.id}/images`);
    return { id: reply.json.id, items: listed.items };
  };
  const at = (name: string, more: object = {}) => ({ source: { url: `${host}/${name}` }, ...more });
  const idsOf = ({ json: page }: Reply): string[] => page.items.map(({ id }: Item) => id);
  const find = async (query: string) => idsOf(await served.ask(`/v1/images?${query}`));

  test('finds images over all batches by what people know of them', async () => {
    const rows = `7,Blue shirt,${host}/a.jpg\n8,Red_shoe,"${host}/b.png,${host}/gone.jpg"\n`;
    const catalog = await served.ask('/v1/batches?wait=30', { form: { file: csv(rows) } });
    const [shirt, shoe, gone] = idsOf(await served.ask(`/v1/batches/${catalog.json.id}/images`));
    const { items } = await batchOf(at('a.jpg', { ref: 'sku-1', product: { serial_number: '7', name: 'Hat' } }));
    const own = items[0]!.id;
    const sent = await served.ask('/v1/batches?wait=30', { form: { file: photo } });
    const [uploaded] = idsOf(await served.ask(`/v1/batches/${sent.json.id}/images`));
    expect(await find('')).toEqual([uploaded, own, gone, shoe, shirt]);
    const url = encodeURIComponent(`${host}/a.jpg`);
    expect(await find(`source_url=${url}`)).toEqual([own, shirt]);
    expect(await find(`source_url=${url.replace('http', 'HTTP')}`)).toEqual([own, shirt]);
    expect(await find('serial_number=7')).toEqual([own, shirt]);
    expect(await find('product_name=red_')).toEqual([gone, shoe]);
    expect(await find('product_name=d_s&state=failed')).toEqual([gone]);
    expect(await find('ref=sku-1')).toEqual([own]);
    expect(await find(`name=${encodeURIComponent('photo_1%')}`)).toEqual([uploaded]);
    expect(await find(`name=${encodeURIComponent('o%_')}`)).toEqual([]);
    expect(await find('source=upload')).toEqual([uploaded]);
    expect(await find('state=failed&code=not_found')).toEqual([gone]);
    expect(await find('code=timeout')).toEqual([]);
    expect(await served.ask('/v1/images?serial=7')).toMatchObject({ status: 400, json: { code: 'invalid_query' } });
    expect(await served.ask('/v1/images?source=url')).toMatchObject({ status: 400, json: { code: 'invalid_query' } });
  });

  test('pages follow each other without gap or repeat and belong to their filters', async () => {
    const ids = (await batchOf(...['a.jpg', 'b.png', 'a.jpg', 'gone.jpg', 'b.png'].map((name) => at(name)))).items;
    const seen: string[] = [];
    const links: (string | null)[] = [];
    for (let path: string | null = '/v1/images?limit=2'; path;) {
      const reply: Reply = await served.ask(path);
      seen.push(...idsOf(reply));
      links.push(reply.headers.get('link'));
      path = reply.json.next_cursor && `/v1/images?limit=2&cursor=${reply.json.next_cursor}`;
    }
    expect(links).toEqual([expect.stringMatching(/^<http.*cursor=.*>; rel="next"$/), expect.anything(), null]);
    expect(seen).toEqual(ids.map(({ id }) => id).toReversed());
    const { json: first } = await served.ask('/v1/images?limit=2');
    expect(await served.ask(`/v1/images?limit=2&state=failed&cursor=${first.next_cursor}`)).toMatchObject({
      status: 400,
      json: { code: 'invalid_cursor' },
    });
  });

  test('an image can be waited for', async () => {
    const release = served.pictures.hold();
    const { json: batch } = await served.ask('/v1/batches', json({ images: [at('a.jpg?wait')] }));
    const { json: listed } = await served.ask(`/v1/batches/${batch.id}/images`);
    const path = `/v1/images/${listed.items[0].id}`;
    const waiting = served.ask(`${path}?wait=30`);
    release();
    expect((await waiting).json).toMatchObject({ state: 'succeeded', history: [{ outcome: 'succeeded' }] });
    expect(await served.ask(`${path}?wiat=1`)).toMatchObject({ status: 400 });
  });

  test('one failed image is tried again, once per key', async () => {
    const { id, items } = await batchOf(at('a.jpg'), at('gone.jpg'));
    const [good, bad] = items.map((item) => `/v1/images/${item.id}`);
    expect(await served.ask(`${good}/retry`, post)).toMatchObject({ status: 409, json: { code: 'nothing_to_retry' } });
    const asked = { ...post, headers: { 'idempotency-key': `one-${engine}` } };
    const reply = await served.ask(`${bad}/retry`, asked);
    expect(reply).toMatchObject({ status: 202, json: { state: 'queued', error: null } });
    expect(reply.headers.get('location')).toBe(bad);
    await served.ask(`${bad}?wait=30`);
    expect((await served.ask(`${bad}/retry`, asked)).headers.get('idempotent-replayed')).toBe('true');
    const again = await served.ask(`${bad}/retry?wait=30`, post);
    expect(again).toMatchObject({ status: 200, json: { state: 'failed', error: { code: 'not_found' } } });
    expect((await served.ask(`/v1/batches/${id}`)).json).toMatchObject({
      state: 'partially_succeeded',
      generation: 3,
      counts: { total: 2, succeeded: 1, failed: 1 },
    });
  });

  test('one waiting image is canceled; one in work is not', async () => {
    const release = served.pictures.hold();
    const images = Array.from({ length: 60 }, (_, n) => at(`a.jpg?${n}`));
    const { json: batch } = await served.ask('/v1/batches', json({ images }));
    const inState = (state: string) => `/v1/batches/${batch.id}/images?limit=500&state=${state}`;
    const running = await served.until(inState('running'), ({ json: page }) => page.items.length > 0);
    const waiting = await served.until(inState('queued'), ({ json: page }) => page.items.length > 0);
    const [at1, at2] = [running.json.items[0].id, waiting.json.items.at(-1).id];
    expect(await served.ask(`/v1/images/${at1}/cancel`, post)).toMatchObject({ json: { code: 'image_running' } });
    expect(await served.ask(`/v1/images/${at1}/retry`, post)).toMatchObject({ json: { code: 'batch_running' } });
    expect(await served.ask(`/v1/images/${at2}/cancel`, post)).toMatchObject({
      status: 202,
      json: { state: 'canceled', error: { code: 'canceled' } },
    });
    expect(await served.ask(`/v1/images/${at2}/cancel`, post)).toMatchObject({ status: 200 });
    release();
    const { json: last } = await served.ask(`/v1/batches/${batch.id}?wait=30`);
    expect(last).toMatchObject({ state: 'canceled', counts: { total: 60, succeeded: 59, canceled: 1 } });
  });

  test('images are deleted one by one, by a list, and by a filter whose count is known', async () => {
    const { id, items } = await batchOf(at('a.jpg'), at('b.png'), at('gone.jpg'), at('gone.jpg'), at('gone.jpg'));
    const remove = (body: unknown, headers = {}) => served.ask('/v1/images/delete', json(body, headers));
    expect((await served.ask(`/v1/images/${items[0]!.id}`, { method: 'DELETE' })).status).toBe(204);
    expect((await served.ask(`/v1/images/${items[0]!.id}`, { method: 'DELETE' })).status).toBe(404);
    const filter = { state: 'failed', source_url: `${host}/gone.jpg` };
    expect(await remove({ filter, expected_count: 2 })).toMatchObject({ status: 409, json: { code: 'count_changed' } });
    expect(await remove({ filter, expected_count: 4 })).toMatchObject({ status: 409, json: { code: 'count_changed' } });
    for (const body of [{}, { filter }, { image_ids: ['x'] }, { image_ids: [items[1]!.id], filter, expected_count: 1 }])
      expect(await remove(body)).toMatchObject({ status: 422 });
    expect(await remove({ filter: { sate: 'failed' }, expected_count: 3 })).toMatchObject({ status: 422 });
    const key = { 'idempotency-key': `delete-${engine}` };
    for (const _ of [1, 2])
      expect(await remove({ filter, expected_count: 3 }, key)).toMatchObject({ status: 202, json: { deleted: 3 } });
    expect((await served.ask(`/v1/batches/${id}`)).json.counts).toMatchObject({ total: 1, succeeded: 1, failed: 0 });
    expect((await remove({ image_ids: [items[1]!.id, items[0]!.id] })).json).toEqual({ deleted: 1 });
    expect(await find('')).toEqual([]);
  });
});
