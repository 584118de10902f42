// native-admin.test.ts — /v1/admin: the overview, failures over all batches, one order to retry, retention at once.

import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { onEachDatabase } from '../support/databases.ts';
import { openServed, type Served } from '../support/served.ts';

const json = (body: unknown): RequestInit => ({
  method: 'POST',
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/json' },
});

onEachDatabase((engine) => {
  let served: Served;
  beforeAll(async () => {
    served = await openServed(engine);
  });
  afterAll(() => served[Symbol.asyncDispose]());

  const finished = async (...names: string[]) => {
    const images = names.map((name) => ({ source: { url: `http://${served.pictures.host}/${name}` } }));
    return (await served.ask('/v1/batches?wait=20', json({ images }))).json;
  };
  const overview = async () => (await served.ask('/v1/admin/overview')).json;

  test('the overview shows queues, workers and storage', async () => {
    await finished('a.jpg', 'gone.jpg');
    const seen = await overview();
    expect(seen.queues).toMatchObject([
      { name: 'images', waiting: 0, running: 0, failed: 1, oldest_seconds: null },
      { name: 'deliveries', waiting: 0, running: 0, failed: 0, oldest_seconds: null },
    ]);
    expect(seen.workers).toMatchObject([{ pid: process.pid, slots: 2, silent: false, version: 'test' }]);
    expect(seen.storage).toMatchObject({ name: 'disk', ok: true, detail: null });
    expect(seen.storage.free_bytes).toBeGreaterThan(0);
    expect(seen.storage.used_bytes).toBeGreaterThan(0);
    expect(seen.warnings).toEqual([]);
  });

  test('the overview names blocked hosts and receivers that were given up', async () => {
    const { db } = served.app;
    await sql`insert into hosts (host, blocked_until) values ('slow.example', now() + interval '1 hour')`.execute(
      db.query,
    );
    await sql`insert into receivers (owner, url, disabled_at) values ('', 'https://gone.example/hook', now())`.execute(
      db.query,
    );
    const seen = await overview();
    expect(seen.hosts).toContainEqual(expect.objectContaining({ host: 'slow.example', state: 'blocked', parked: 0 }));
    expect(seen.deliveries.receivers).toMatchObject([{ url: 'https://gone.example/hook', failing_since: null }]);
    expect(seen.warnings.join()).toContain('webhook receivers get nothing more');
    await sql`delete from receivers`.execute(db.query);
    await sql`delete from hosts`.execute(db.query);
  });

  test('failures of all batches are grouped by cause, and one order retries a group', async () => {
    const [one, two] = [await finished('b.png', 'absent.jpg'), await finished('absent.jpg', 'page.html')];
    const { json: failures } = await served.ask('/v1/admin/failures');
    const missing = failures.items.find(({ code }: { code: string }) => code === 'not_found');
    expect(missing).toMatchObject({ host: served.pictures.host, retryable: false, message: expect.any(String) });
    expect(missing.count).toBeGreaterThanOrEqual(2);
    expect(missing.batches).toBeGreaterThanOrEqual(2);
    expect(missing.example_image_ids.length).toBeGreaterThan(0);
    const reply = await served.ask('/v1/admin/retry', json({ codes: ['not_found'] }));
    expect(reply).toMatchObject({ status: 202, json: { retried: missing.count } });
    for (const { id } of [one, two])
      expect((await served.ask(`/v1/batches/${id}?wait=20`)).json).toMatchObject({ generation: 2 });
  });

  test('a retry of everything leaves canceled images alone, and one that finds nothing is 409', async () => {
    const nothing = await served.ask('/v1/admin/retry', json({ codes: ['never_seen'] }));
    expect(nothing).toMatchObject({ status: 409, json: { code: 'nothing_to_retry' } });
    const { id } = await finished('a.jpg', 'lost.jpg');
    await sql`update images set state = 'canceled' where batch_id = ${id} and state = 'succeeded'`.execute(
      served.app.db.query,
    );
    await sql`update batches set succeeded = 0, canceled = 1, state = 'canceled' where id = ${id}`.execute(
      served.app.db.query,
    );
    expect((await served.ask('/v1/admin/retry', { method: 'POST' })).status).toBe(202);
    const after = (await served.ask(`/v1/batches/${id}?wait=20`)).json;
    expect(after).toMatchObject({ generation: 2, counts: { canceled: 1, failed: 1 } });
  });

  test('`since` leaves older failures out, and must be a time', async () => {
    await finished('gone.jpg');
    const later = new Date(Date.now() + 3_600_000).toISOString();
    expect((await served.ask(`/v1/admin/failures?since=${later}`)).json.items).toEqual([]);
    expect((await served.ask('/v1/admin/retry', json({ since: later }))).status).toBe(409);
    expect((await served.ask('/v1/admin/retry', json({ since: 'yesterday' }))).status).toBe(422);
    expect((await served.ask('/v1/admin/failures?since=yesterday')).status).toBe(400);
  });

  test('a sweep lets go at once of what nobody uses', async () => {
    const { db } = served.app;
    const name = `${'unused'.repeat(4)}zz.jpg`;
    await sql`insert into files (name, kind, media_type, bytes, sha256, created_at)
      values (${name}, 'source', 'image/jpeg', 5000, '\\x00', now() - interval '25 hours')`.execute(db.query);
    const sweep = await served.ask('/v1/admin/sweep', { method: 'POST' });
    expect(sweep.status).toBe(200);
    expect(sweep.json.files).toBeGreaterThanOrEqual(1);
    expect(sweep.json.bytes).toBeGreaterThanOrEqual(5000);
    expect(await db.query.selectFrom('files').where('name', '=', name).selectAll().execute()).toEqual([]);
  });
});
