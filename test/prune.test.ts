// What has been kept long enough goes: results first, then the batch; sources, uploads, news. All of it, not some a round.

import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { newId } from '../src/batches/ids.ts';
import { prune } from '../src/batches/prune.ts';
import { sweepTrash } from '../src/batches/sweep.ts';
import { takeTurn } from '../src/batches/turns.ts';
import type { Config } from '../src/config.ts';
import { doChore } from './support/batches.ts';
import { onEachDatabase, type EngineName } from './support/databases.ts';
import { ended, openHouse, success, type House } from './support/house.ts';
import { addBatch, addFile } from './support/rows.ts';

const day = 86_400_000;

async function openKeeping(engine: EngineName, keep: Partial<Config> = {}) {
  const house = await openHouse(engine);
  const all = { keepResultsMs: 30 * day, keepSourcesMs: 7 * day, keepEventsMs: 7 * day, keepDeliveriesMs: 30 * day };
  const app = { ...house.app, config: { ...house.app.config, ...all, ...keep } };
  return { ...house, app, prune: () => prune(app) };
}

/** Makes the batch one that ended `days` ago; its id is as old as it is. */
async function age(house: House, made: string, days: number): Promise<string> {
  const id = newId(Date.now() - (days + 1) * day);
  await house.app.db.transaction(async (tx) => {
    await sql`
      update batches set id = ${id}, state = 'failed', finished_at = now() - ${days} * interval '1 day'
      where id = ${made}`.execute(tx);
    await sql`update images set batch_id = ${id} where batch_id = ${made}`.execute(tx);
  });
  return id;
}

/** A batch that ended `days` ago, with a result for each image. */
async function endedBatch(house: House, days: number, images = 1): Promise<string> {
  const { db } = house.app;
  const made = await addBatch(db, { states: Array<'succeeded'>(images).fill('succeeded') });
  const id = await age(house, made.id, days);
  await sql`
    insert into files (name, kind, media_type, bytes, sha256)
    select id::text, 'result', 'image/jpeg', 1, '\\x00' from images where batch_id = ${id}`.execute(db.query);
  await sql`
    insert into renditions (image_id, name, file, work_key, width, height)
    select id, 'default', id::text, id, 1, 1 from images where batch_id = ${id}`.execute(db.query);
  return id;
}

const trashed = (house: House) =>
  house.app.db.query
    .selectFrom('trash')
    .select('file')
    .execute()
    .then((rows) => rows.map(({ file }) => file));
const count = async (
  house: House,
  table: 'images' | 'batches' | 'events' | 'idempotency_keys' | 'hosts' | 'deliveries',
) =>
  Number(
    (await sql<{ n: number }>`select count(*) as n from ${sql.table(table)}`.execute(house.app.db.query)).rows[0]!.n,
  );

onEachDatabase((engine) => {
  describe('results', () => {
    test('stay until their time, then go to the trash while the row tells that they were', async () => {
      await using house = await openKeeping(engine);
      const young = await endedBatch(house, 29);
      const old = await endedBatch(house, 31);
      await house.prune();
      expect(await trashed(house)).toEqual([(await house.images(old))[0]!.id]);
      expect(await house.batch(old)).toMatchObject({ expiresAt: expect.any(Date) });
      expect(await house.batch(young)).toMatchObject({ expiresAt: null });
    });

    test('of many windows all go in one round', async () => {
      await using house = await openKeeping(engine);
      await endedBatch(house, 31, 4_500);
      await house.prune();
      expect((await trashed(house)).length).toBe(4_500);
    });

    test('of a batch that a retry has opened again stay', async () => {
      await using house = await openKeeping(engine);
      await endedBatch(house, 31);
      await sql`update batches set state = 'running', finished_at = null`.execute(house.app.db.query);
      await house.prune();
      expect(await trashed(house)).toEqual([]);
    });

    test('stay for ever when that is what the settings say', async () => {
      await using house = await openKeeping(engine, { keepResultsMs: undefined, keepSourcesMs: undefined });
      await endedBatch(house, 4_000);
      await house.prune();
      expect(await trashed(house)).toEqual([]);
    });
  });

  test('a batch is deleted when its results have been gone for as long again', async () => {
    await using house = await openKeeping(engine);
    await endedBatch(house, 31);
    await house.prune();
    await house.prune();
    expect(await doChore(house)).toBeUndefined();
    await sql`update batches set expires_at = now() - interval '31 days'`.execute(house.app.db.query);
    await house.prune();
    expect(await doChore(house)).toBe('delete');
    expect(await count(house, 'images')).toBe(0);
    expect(await count(house, 'batches')).toBe(0);
  });

  test('sources and catalogs go after their batch ended, and a retry of them fails as expired', async () => {
    await using house = await openKeeping(engine);
    const [source, catalog, inUse] = [
      await addFile(house.app.db, 'source'),
      await addFile(house.app.db, 'catalog'),
      await addFile(house.app.db, 'source'),
    ];
    const made = await addBatch(house.app.db, { states: ['failed'], sources: [source], catalog });
    const running = await addBatch(house.app.db, { states: ['running'], sources: [inUse] });
    const old = await age(house, made.id, 8);
    await house.prune();
    expect((await trashed(house)).toSorted()).toEqual([source, catalog].toSorted());
    expect((await house.images(running.id))[0]).toMatchObject({ source_file: inUse });
    await sql`update images set state = 'queued', source_url = null where batch_id = ${old}`.execute(
      house.app.db.query,
    );
    const [item] = await house.claimAs(newId(), 1);
    expect(item).toMatchObject({ source: 'gone' });
  });

  test('an upload that no batch names goes after a day, one in use stays', async () => {
    await using house = await openKeeping(engine);
    const [unused, used, fresh] = [
      await addFile(house.app.db, 'source'),
      await addFile(house.app.db, 'source'),
      await addFile(house.app.db, 'source'),
    ];
    await house.submit([{ source: { upload: used } }]);
    await sql`update files set created_at = now() - interval '25 hours' where name <> ${fresh}`.execute(
      house.app.db.query,
    );
    await house.prune();
    expect(await trashed(house)).toEqual([unused]);
    expect(await sweepTrash(house.app)).toBe(1);
  });

  test('old events, deliveries, keys and hosts go, every one of them, and young ones stay', async () => {
    await using house = await openKeeping(engine);
    const { db } = house.app;
    const { id } = await house.submitMany(1);
    await sql`delete from events`.execute(db.query);
    await sql`
      insert into events (batch_id, owner, generation, type, at)
      select ${id}, '', 1, 'images.settled', now() - case when n = 1 then interval '6 days' else interval '8 days' end
      from generate_series(1, 4500) n`.execute(db.query);
    await sql`
      insert into idempotency_keys (owner, method, route, key, fingerprint, status, created_at)
      select '', 'POST', '/', n::text, '\\x00', 202, now() - case when n = 1 then interval '23 hours' else interval '25 hours' end
      from generate_series(1, 4500) n`.execute(db.query);
    await sql`
      insert into deliveries (id, batch_id, generation, owner, url, host, format, state, finished_at)
      select gen_random_uuid(), ${id}, n, '', 'http://x', 'x', 'json', 'delivered',
        now() - case when n = 1 then interval '29 days' else interval '31 days' end
      from generate_series(1, 10) n`.execute(db.query);
    await sql`
      insert into hosts (host, blocked_until, next_at) values ('past', now() - interval '2 hours', null),
        ('now', now() - interval '2 hours', now()), ('never', null, null)`.execute(db.query);
    await house.prune();
    expect(await count(house, 'events')).toBe(1);
    expect(await count(house, 'idempotency_keys')).toBe(1);
    expect(await count(house, 'deliveries')).toBe(1);
    expect(await count(house, 'hosts')).toBe(1);
  });

  test('a part that fails is told, and the others are done all the same', async () => {
    await using house = await openKeeping(engine);
    await endedBatch(house, 31);
    await sql`alter table deliveries rename column finished_at to broken`.execute(house.app.db.query);
    await sql`
      insert into idempotency_keys (owner, method, route, key, fingerprint, status, created_at)
      values ('', 'POST', '/', 'k', '\\x00', 202, now() - interval '25 hours')`.execute(house.app.db.query);
    await expect(house.prune()).rejects.toThrow('finished_at');
    expect(await count(house, 'idempotency_keys')).toBe(0);
    expect((await trashed(house)).length).toBe(1);
  });

  test("a rare chore is one worker's turn in its time, whoever asks", async () => {
    await using house = await openKeeping(engine);
    const turns = await Promise.all([1, 2, 3].map(() => takeTurn(house.app, 'prune', 60_000)));
    expect(turns.filter(Boolean)).toEqual([true]);
    expect(await takeTurn(house.app, 'scrub', 60_000)).toBe(true);
    await sql`
      update settings set value = to_jsonb(now() - interval '2 minutes') where name = 'last_prune'`.execute(
      house.app.db.query,
    );
    expect(await takeTurn(house.app, 'prune', 60_000)).toBe(true);
    expect(await takeTurn(house.app, 'prune', 60_000)).toBe(false);
  });

  test('what expired is swept out of storage and no live result with it', async () => {
    await using house = await openKeeping(engine);
    const worker = newId();
    await house.submitMany(2);
    const items = await house.claimAs(worker);
    await house.settleAs(
      worker,
      items.map((item) => ended(item, success())),
    );
    await endedBatch(house, 31);
    await house.prune();
    expect(await sweepTrash(house.app)).toBe(1);
    const { rows } = await sql`select from renditions join files on files.name = file`.execute(house.app.db.query);
    expect(rows.length).toBe(2);
  });
});
