// http-keys.test.ts — keys: made, shown once, used, expired, revoked; what each scope and owner may, and the end of open doors.

import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { onEachDatabase } from './support/databases.ts';
import { openServed, type Reply, type Served } from './support/served.ts';

const json = (body: unknown, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/json', ...headers },
});
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

onEachDatabase((engine) => {
  let served: Served;
  let admin: string;
  beforeAll(async () => {
    served = await openServed(engine);
  });
  afterAll(() => served[Symbol.asyncDispose]());

  const makeKey = async (body: object): Promise<Reply['json']> => {
    const reply = await served.ask('/v1/admin/keys', json(body, bearer(admin)));
    expect(reply.status).toBe(201);
    return reply.json;
  };
  const statusOf = async (path: string, key: string) => (await served.ask(path, { headers: bearer(key) })).status;
  const create = (key: string) =>
    served.ask(
      '/v1/batches?wait=20',
      json({ images: [{ source: { url: `http://${served.pictures.host}/a.jpg` } }] }, bearer(key)),
    );

  test('the first key must be able to make others, and closes the house at once', async () => {
    expect((await served.ask('/v1/batches')).status).toBe(200);
    const weak = await served.ask('/v1/admin/keys', json({ name: 'weak', scope: 'write' }));
    expect(weak).toMatchObject({ status: 422, json: { detail: 'The first key must have scope admin.' } });
    const first = await served.ask('/v1/admin/keys', json({ name: 'mine', scope: 'admin', owner: 'ops' }));
    expect(first).toMatchObject({
      status: 201,
      json: { name: 'mine', scope: 'admin', owner: 'ops', expires_at: null },
    });
    admin = first.json.key;
    expect(admin).toMatch(/^drk_[A-Za-z0-9]{8}_[A-Za-z0-9_-]{43}$/);
    expect(admin.startsWith(first.json.prefix)).toBe(true);
    expect((await served.ask('/v1/batches')).status).toBe(401);
    expect(await statusOf('/v1/batches', admin)).toBe(200);
    expect((await served.ask('/health')).json).not.toHaveProperty('workers');
  });

  test('a secret is shown once and lies nowhere in the database', async () => {
    const made = await makeKey({ name: 'once', scope: 'read' });
    const { text } = await served.ask('/v1/admin/keys', { headers: bearer(admin) });
    expect(text).toContain(made.id);
    expect(text).not.toContain(made.key);
    const { rows } = await sql<{ row: string }>`select api_keys::text as row from api_keys`.execute(
      served.app.db.query,
    );
    expect(rows.map(({ row }) => row).join()).not.toContain(made.key.slice(13));
  });

  test('a scope that does not suffice is 403 and named', async () => {
    const { key } = await makeKey({ name: 'reader', scope: 'read' });
    expect(await statusOf('/v1/batches', key)).toBe(200);
    const refused = await create(key);
    expect(refused).toMatchObject({ status: 403, json: { code: 'forbidden' } });
    expect(refused.json.detail).toContain('write');
    expect(await statusOf('/v1/admin/overview', key)).toBe(403);
  });

  test('an owner sees what its keys made, and what others made is not there', async () => {
    const [one, two, three] = [
      await makeKey({ name: 'one', scope: 'write', owner: 'ada' }),
      await makeKey({ name: 'two', scope: 'read', owner: 'ada' }),
      await makeKey({ name: 'three', scope: 'write' }),
    ];
    expect(three.owner).toBe(three.id);
    const { json: batch } = await create(one.key);
    const image = (await served.ask(batch.links.images.replace(/^.*\/v1/, '/v1'), { headers: bearer(one.key) })).json
      .items[0].id;
    for (const path of [`/v1/batches/${batch.id}`, `/v1/images/${image}`]) {
      expect([path, await statusOf(path, two.key)]).toEqual([path, 200]);
      expect([path, await statusOf(path, admin)]).toEqual([path, 200]);
      const [foreign, missing] = [
        await served.ask(path, { headers: { ...bearer(three.key), 'x-request-id': 'same' } }),
        await served.ask(path.replace(/[^/]+$/, '01991111-1111-7111-8111-111111111111'), {
          headers: { ...bearer(three.key), 'x-request-id': 'same' },
        }),
      ];
      const told = (reply: Reply) => ({ ...reply.json, instance: '' });
      expect([foreign.status, told(foreign)]).toEqual([404, told(missing)]);
    }
    const listed = async (key: string) => (await served.ask('/v1/batches', { headers: bearer(key) })).json.items;
    expect(await listed(three.key)).toEqual([]);
    expect(await listed(two.key)).toMatchObject([{ id: batch.id }]);
  });

  test('a revoked key and an expired one admit nobody', async () => {
    const { id, key } = await makeKey({ name: 'gone', scope: 'admin' });
    expect(await statusOf('/v1/batches', key)).toBe(200);
    const revoke = () => served.ask(`/v1/admin/keys/${id}`, { method: 'DELETE', headers: bearer(admin) });
    expect((await revoke()).status).toBe(204);
    expect(await statusOf('/v1/batches', key)).toBe(401);
    expect((await revoke()).status).toBe(204);
    const { json: listed } = await served.ask('/v1/admin/keys', { headers: bearer(admin) });
    expect(listed.items.find((each: { id: string }) => each.id === id).revoked_at).toEqual(expect.any(String));
    const old = await makeKey({ name: 'old', scope: 'admin', expires_at: '2020-01-01T00:00:00Z' });
    expect(await statusOf('/v1/batches', old.key)).toBe(401);
    for (const unknown of ['nosuch12', 'x', 'DARKROOM_API_KEY'])
      expect((await served.ask(`/v1/admin/keys/${unknown}`, { method: 'DELETE', headers: bearer(admin) })).status).toBe(
        404,
      );
  });

  test('a key that is revoked elsewhere stops to work here', async () => {
    const { id, key } = await makeKey({ name: 'elsewhere', scope: 'read' });
    expect(await statusOf('/v1/batches', key)).toBe(200);
    await sql`update api_keys set revoked_at = now() where id = ${id}`.execute(served.app.db.query);
    await expect.poll(() => statusOf('/v1/batches', key), { timeout: 30_000, interval: 200 }).toBe(401);
  });

  test('another secret under a known id is not that key', async () => {
    const forged = `${admin.slice(0, 13)}${'x'.repeat(43)}`;
    expect(await statusOf('/v1/batches', forged)).toBe(401);
  });

  test('lists keys by pages, and refuses what a key cannot be', async () => {
    const first = await served.ask('/v1/admin/keys?limit=2', { headers: bearer(admin) });
    const next = await served.ask(`/v1/admin/keys?limit=2&cursor=${first.json.next_cursor}`, {
      headers: bearer(admin),
    });
    const ids = [...first.json.items, ...next.json.items].map(({ id }: { id: string }) => id);
    expect(new Set(ids).size).toBe(4);
    const bodies = [
      {},
      { name: '', scope: 'read' },
      { name: 'x', scope: 'root' },
      { name: 'x', scope: 'read', owner: '' },
    ];
    const times = ['soon', '99999-01-01', '2027-99-01'].map((expires_at) => ({ name: 'x', scope: 'read', expires_at }));
    for (const body of [...bodies, ...times, { name: 'x', scope: 'read', owner: 'a b' }])
      expect([body, (await served.ask('/v1/admin/keys', json(body, bearer(admin)))).status]).toEqual([body, 422]);
  });

  test('an owner has a webhook secret of its own, which can be rotated', async () => {
    const made = await makeKey({ name: 'hooks', scope: 'write', owner: 'hooks' });
    const ask = (method: string) =>
      served.ask('/v1/admin/webhook_secret?owner=hooks', { method, headers: bearer(admin) });
    expect((await ask('GET')).json).toEqual({ owner: 'hooks', secrets: [made.webhook_secret], previous_until: null });
    const rotated = await ask('POST');
    expect(rotated.json.secrets).toHaveLength(2);
    expect(rotated.json.secrets[1]).toBe(made.webhook_secret);
    expect((await served.ask('/v1/admin/webhook_secret', { headers: bearer(admin) })).json.owner).toBe('ops');
  });

  test('a restart keeps the house closed, also when every key is revoked', async () => {
    await served.restart();
    expect((await served.ask('/v1/batches')).status).toBe(401);
    expect(await statusOf('/v1/batches', admin)).toBe(200);
    await sql`update api_keys set revoked_at = now()`.execute(served.app.db.query);
    await served.restart();
    expect((await served.ask('/v1/batches')).status).toBe(401);
  });
});
