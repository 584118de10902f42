// http-idempotency.test.ts — a POST that is sent twice makes one batch, whoever loses the race.

import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { doOnce, type Keep } from '../src/http/idempotency.ts';
import { newId } from '../src/batches/ids.ts';
import { onEachDatabase } from './support/databases.ts';
import { csv, openServed, type Reply, type Served } from './support/served.ts';

onEachDatabase((engine) => {
  let served: Served;
  beforeAll(async () => {
    served = await openServed(engine, { work: false });
  });
  afterAll(() => served[Symbol.asyncDispose]());

  const row = '1,A,http://pictures.example/a.jpg\n';
  const upload = (key: string, text = row, path = '/upload') =>
    served.ask(path, { form: { file: csv(text) }, headers: { 'idempotency-key': key } });
  const counted = async () => {
    const batches = (await served.ask('/v1/batches?limit=500')).json.items.length as number;
    return { batches, files: (await served.app.storage.list(undefined, 1000)).length };
  };

  test('the same form again gets the same answer, although its boundary differs', async () => {
    const first = await upload('same');
    const before = await counted();
    const second = await upload('same');
    expect([second.status, second.text]).toEqual([first.status, first.text]);
    expect([first, second].map(({ headers }) => headers.get('idempotent-replayed'))).toEqual([null, 'true']);
    expect(await counted()).toEqual(before);
  });

  test('other content under the key is 422, on another path it is another request', async () => {
    await upload('other');
    const before = await counted();
    expect(await upload('other', `${row}${row}`)).toMatchObject({
      status: 422,
      json: { code: 'idempotency_mismatch' },
    });
    expect(await counted()).toEqual(before);
    expect((await upload('other', row, '/image_process/upload')).status).toBe(202);
  });

  test('a refusal is not kept: the mended request is done', async () => {
    expect((await upload('mended', '')).status).toBe(400);
    expect((await upload('mended')).status).toBe(200);
  });

  test('a hundred twins at once make one batch', async () => {
    const before = await counted();
    const replies = await Promise.all(Array.from({ length: 100 }, () => upload('twins')));
    const ids = new Set(replies.filter(({ status }) => status === 200).map(({ json }) => json.request_id));
    expect(ids.size).toBe(1);
    const late = replies.filter(({ status }) => status !== 200);
    expect(new Set(late.map(({ status, json }) => `${status} ${json.code}`)).size).toBeLessThanOrEqual(1);
    expect(late.every(({ status, headers }) => status === 409 && headers.get('retry-after') === '1')).toBe(true);
    const after = await counted();
    expect(after).toEqual({ batches: before.batches + 1, files: before.files + 1 });
  });

  test('of two processes one wins, the other gives its answer and takes its own work back', async () => {
    const twin = { owner: '', method: 'POST', route: '/upload', key: 'race' };
    const undone: string[] = [];
    const bothBegan = Promise.withResolvers<void>();
    let began = 0;
    // Twins of one process would be kept apart before this: here both find nothing and both begin.
    const race = (name: string) =>
      doOnce(served.app, twin, {
        meaning: 'the same',
        undo: async () => void undone.push(name),
        run: async (keep: Keep) => {
          if (++began === 2) bothBegan.resolve();
          await bothBegan.promise;
          const answer = { status: 200, headers: {}, body: { by: name } };
          await served.app.db.transaction((tx) => keep(tx, answer, newId()));
          return { answer, batchId: null };
        },
      });
    const outcomes = await Promise.all([race('one'), race('two')]);
    expect(outcomes.filter(({ replayed }) => replayed)).toHaveLength(1);
    const [winner] = outcomes.filter(({ replayed }) => !replayed);
    expect(outcomes.map(({ body }) => body)).toEqual([winner?.body, winner?.body]);
    expect(undone).toEqual([JSON.stringify(winner?.body).includes('one') ? 'two' : 'one']);
  });

  test('an answer that waited is rendered anew', async () => {
    const sent = { method: 'POST', body: '{"images":[{"source":{"url":"https://pictures.example/a.jpg"}}]}' };
    const headers = { 'content-type': 'application/json', 'idempotency-key': 'waited' };
    const first = await served.ask('/v1/batches', { ...sent, headers });
    await served.ask(`/v1/batches/${first.json.id}/cancel`, { method: 'POST' });
    const again = await served.ask('/v1/batches?wait=1', { ...sent, headers });
    expect([again.headers.get('idempotent-replayed'), again.json.id]).toEqual(['true', first.json.id]);
  });

  test('a key of other characters is refused', async () => {
    for (const key of ['', 'a b', 'x'.repeat(256)]) expect([key, (await upload(key)).status]).toEqual([key, 400]);
  });

  const post = (path: string, key: string, body?: object, more: Record<string, string> = {}) =>
    served.ask(path, {
      method: 'POST',
      ...(body && { body: JSON.stringify(body) }),
      headers: { 'idempotency-key': key, ...(body && { 'content-type': 'application/json' }), ...more },
    });
  const isReplay = ({ headers }: Reply) => headers.get('idempotent-replayed') === 'true';

  test('a delivery is sent again, and everything is retried, once for each key', async () => {
    const { db } = served.app;
    const { json: batch } = await post('/v1/batches', 'batch', {
      images: [{ source: { url: 'https://a.example/x' } }],
    });
    await sql`update images set state = 'failed', error_code = 'not_found' where batch_id = ${batch.id}`.execute(
      db.query,
    );
    await sql`update batches set state = 'failed', failed = 1 where id = ${batch.id}`.execute(db.query);
    const [first, again] = [await post('/v1/admin/retry', 'all'), await post('/v1/admin/retry', 'all')];
    expect([first.status, again.status, again.text, isReplay(again)]).toEqual([202, 202, first.text, true]);
    expect((await served.ask(`/v1/batches/${batch.id}`)).json).toMatchObject({ generation: 2 });
    expect(await post('/v1/admin/retry', 'all', { codes: ['other'] })).toMatchObject({ status: 422 });

    const id = newId();
    await sql`insert into deliveries (id, batch_id, generation, owner, url, host, format, state)
      values (${id}, ${batch.id}, 1, '', 'https://a.example/hook', 'a.example', 'native', 'dead')`.execute(db.query);
    const sent = await post(`/v1/deliveries/${id}/redeliver`, 'send');
    await sql`update deliveries set state = 'dead' where id = ${id}`.execute(db.query);
    const repeated = await post(`/v1/deliveries/${id}/redeliver`, 'send');
    expect([sent.status, sent.json.state, repeated.text, isReplay(repeated)]).toEqual([202, 'queued', sent.text, true]);
    expect((await served.ask(`/v1/deliveries/${id}`)).json.state).toBe('dead');
  });

  test('a secret is rotated and a key made once for each key, and no secret is written down', async () => {
    const [rotated, again] = [
      await post('/v1/admin/webhook_secret', 'turn'),
      await post('/v1/admin/webhook_secret', 'turn'),
    ];
    expect([again.json.secrets, isReplay(again)]).toEqual([rotated.json.secrets, true]);
    const made = await post('/v1/admin/keys', 'key', { name: 'first', scope: 'admin' });
    expect(made.status).toBe(201);
    const key = { 'x-api-key': made.json.key as string };
    const shop = await post('/v1/admin/keys', 'shop', { name: 'shop', scope: 'write' }, key);
    const repeated = await post('/v1/admin/keys', 'shop', { name: 'shop', scope: 'write' }, key);
    expect(repeated).toMatchObject({ status: 409, json: { code: 'shown_once' } });
    expect(repeated.json.detail).toContain(shop.json.prefix);
    expect((await served.ask('/v1/admin/keys', { headers: key })).json.items).toHaveLength(2);
    const { rows } = await sql<{
      text: string;
    }>`select string_agg(k::text, ' ') as text from idempotency_keys k`.execute(served.app.db.query);
    expect(rows[0]?.text).toContain(shop.json.prefix);
    for (const secret of [shop.json.key.slice(13), made.json.webhook_secret, rotated.json.secrets[0]])
      expect(rows[0]?.text).not.toContain(secret);
  });
});
