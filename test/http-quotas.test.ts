// http-quotas.test.ts — how much an owner may have open and stored, on every way in, also when a hundred ask at once.

import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { onEachDatabase } from './support/databases.ts';
import { csv, openServed, type Served } from './support/served.ts';

const apiKey = `drk_abcdefgh_${'k'.repeat(43)}`;
const admin = { authorization: `Bearer ${apiKey}` };
const env = {
  DARKROOM_API_KEY: apiKey,
  DARKROOM_MAX_BATCHES: '3',
  DARKROOM_MAX_QUEUED: '10',
  DARKROOM_MAX_STORED: '1kb',
};

onEachDatabase((engine) => {
  let served: Served;
  beforeAll(async () => {
    // Nobody works: what is open stays open.
    served = await openServed(engine, { env, work: false });
  });
  afterAll(() => served[Symbol.asyncDispose]());

  const newOwner = async (): Promise<Record<string, string>> => {
    const reply = await served.ask('/v1/admin/keys', {
      method: 'POST',
      headers: { ...admin, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'x', scope: 'write' }),
    });
    return { authorization: `Bearer ${reply.json.key}`, owner: reply.json.owner };
  };
  const create = (headers: Record<string, string>, count = 1) => {
    const images = Array.from({ length: count }, (_, n) => ({
      source: { url: `http://${served.pictures.host}/${n}.jpg` },
    }));
    return served.ask('/v1/batches', {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ images }),
    });
  };

  test('of twenty batches at once exactly as many are taken as the quota says', async () => {
    const key = await newOwner();
    const replies = await Promise.all(Array.from({ length: 20 }, () => create(key)));
    expect(replies.filter(({ status }) => status === 202)).toHaveLength(3);
    const [refused] = replies.filter(({ status }) => status !== 202);
    expect(refused).toMatchObject({ status: 429, json: { code: 'quota_exceeded' } });
    expect(refused?.json.detail).toContain('DARKROOM_MAX_BATCHES');
    expect(Number(refused?.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await create(await newOwner())).status).toBe(202);
  });

  test('images that wait count together, and every surface judges them', async () => {
    const key = await newOwner();
    expect((await create(key, 8)).status).toBe(202);
    const over = await create(key, 3);
    expect(over).toMatchObject({ status: 429, json: { code: 'quota_exceeded' } });
    expect(over.json.detail).toContain('DARKROOM_MAX_QUEUED');
    const rows = `1,A,"http://a.example/1.jpg,http://a.example/2.jpg,http://a.example/3.jpg"\n`;
    const upload = await served.ask('/upload', { form: { file: csv(rows) }, headers: key });
    expect(upload).toMatchObject({ status: 429, json: { code: 'quota_exceeded' } });
    expect((await create(key, 2)).status).toBe(202);
  });

  test('who has stored enough must wait until something goes', async () => {
    const key = await newOwner();
    const { json: batch } = await create(key);
    await sql`update batches set bytes_out = 2048 where id = ${batch.id}`.execute(served.app.db.query);
    expect((await create(key)).json.detail).toContain('DARKROOM_MAX_STORED');
    await sql`update batches set expires_at = now() where id = ${batch.id}`.execute(served.app.db.query);
    expect((await create(key)).status).toBe(202);
  });

  test('the house itself has no quota', async () => {
    for (let n = 0; n < 5; n++) expect((await create(admin)).status).toBe(202);
  });
});
