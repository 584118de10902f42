// triggers.test.ts — rows deleted by hand leave right counters and no lost file (invariant I3).

import { sql } from 'kysely';
import { afterEach, beforeEach, expect, inject, test, vi } from 'vitest';
import { onEachDatabase, openTestDatabase, type TestDatabase } from './support/databases.ts';
import { addBatch, addFile, addRendition } from './support/rows.ts';

onEachDatabase((engine) => {
  let db: TestDatabase;
  beforeEach(async () => {
    db = await openTestDatabase(engine);
  });
  afterEach(() => db.close());

  const counters = (id: string) =>
    db.query
      .selectFrom('batches')
      .select(['total', 'succeeded', 'failed', 'canceled'])
      .where('id', '=', id)
      .executeTakeFirst();
  const trash = async () =>
    (await db.query.selectFrom('trash').select('file').orderBy('file').execute()).map(({ file }) => file);
  const count = async (table: 'images' | 'products' | 'renditions' | 'batches' | 'deliveries') =>
    (await sql<{ n: number }>`select count(*) as n from ${sql.table(table)}`.execute(db.query)).rows[0]?.n;

  test('DELETE FROM images empties the counters of every batch and sends every file to the trash', async () => {
    const [first, second] = [await addFile(db, 'source'), await addFile(db, 'source')];
    const results = [await addFile(db, 'result'), await addFile(db, 'result')];
    const kept = await addFile(db, 'catalog');
    const one = await addBatch(db, { states: ['succeeded', 'failed', 'queued'], sources: [first, null, second] });
    const two = await addBatch(db, { states: ['succeeded', 'canceled'], sources: [first], catalog: kept });
    await addRendition(db, one.images[0] ?? '', results[0] ?? '');
    await addRendition(db, two.images[0] ?? '', results[1] ?? '');

    await sql`delete from images`.execute(db.query);

    for (const { id } of [one, two])
      expect(await counters(id)).toEqual({ total: 0, succeeded: 0, failed: 0, canceled: 0 });
    expect(await trash()).toEqual([first, second, ...results].toSorted());
    expect(await count('renditions')).toBe(0);
  });

  test('deleting some images takes exactly those from the counters of their batch', async () => {
    const states = ['succeeded', 'succeeded', 'failed', 'canceled', 'queued', 'running'] as const;
    const batch = await addBatch(db, { states: [...states] });
    const other = await addBatch(db, { states: ['succeeded', 'failed'] });
    await db.query.deleteFrom('images').where('batch_id', '=', batch.id).where('position', 'in', [1, 3, 5]).execute();
    expect(await counters(batch.id)).toEqual({ total: 3, succeeded: 1, failed: 0, canceled: 1 });
    expect(await counters(other.id)).toEqual({ total: 2, succeeded: 1, failed: 1, canceled: 0 });
  });

  test('deleting a batch takes its images, products, renditions and deliveries, and trashes all its files', async () => {
    const [catalog, source, result] = [
      await addFile(db, 'catalog'),
      await addFile(db, 'source'),
      await addFile(db, 'result'),
    ];
    const gone = await addBatch(db, { states: ['succeeded'], catalog, sources: [source] });
    const kept = await addBatch(db, { states: ['queued'] });
    await addRendition(db, gone.images[0] ?? '', result);
    for (const { id } of [gone, kept])
      await db.query.insertInto('products').values({ batch_id: id, line: 2 }).execute();
    await db.query
      .insertInto('deliveries')
      .values({ id: gone.id, batch_id: gone.id, generation: 1, owner: '', url: 'u', host: 'h', format: 'json' })
      .execute();

    await db.query.deleteFrom('batches').where('id', '=', gone.id).execute();

    expect(await trash()).toEqual([catalog, source, result].toSorted());
    expect([
      await count('images'),
      await count('products'),
      await count('renditions'),
      await count('deliveries'),
    ]).toEqual([1, 1, 0, 0]);
    expect(await counters(kept.id)).toMatchObject({ total: 1 });
  });

  test('deleting a rendition sends its file to the trash, and an expired one nothing', async () => {
    const file = await addFile(db, 'result');
    const batch = await addBatch(db, { states: ['succeeded', 'succeeded'] });
    await addRendition(db, batch.images[0] ?? '', file);
    await addRendition(db, batch.images[1] ?? '', null);
    await sql`delete from renditions`.execute(db.query);
    expect(await trash()).toEqual([file]);
  });

  test('a file that is in the trash already does not stop a deletion', async () => {
    const source = await addFile(db, 'source');
    await addBatch(db, { states: ['failed'], sources: [source] });
    await addBatch(db, { states: ['failed'], sources: [source] });
    await db.query
      .insertInto('trash')
      .values({ file: source })
      .onConflict((on) => on.doNothing())
      .execute();
    await sql`delete from images`.execute(db.query);
    expect(await trash()).toEqual([source]);
    expect(await count('images')).toBe(0);
  });

  test('deleting no image is no error', async () => {
    await sql`delete from images`.execute(db.query);
    await sql`delete from batches`.execute(db.query);
    expect(await trash()).toEqual([]);
  });

  test('ten thousand images with renditions go in one statement, in seconds', async () => {
    const batch = await addBatch(db, { states: Array.from({ length: 10_000 }, () => 'succeeded' as const) });
    await sql`
      insert into renditions (image_id, name, work_key, width, height)
      select id, 'default', id, 1, 1 from images`.execute(db.query);
    const before = performance.now();
    await sql`delete from images`.execute(db.query);
    expect(performance.now() - before).toBeLessThan(5000);
    expect(await counters(batch.id)).toEqual({ total: 0, succeeded: 0, failed: 0, canceled: 0 });
  });
});

test.skipIf(!inject('postgresUrl'))('a deletion locks its batches in the order of their ids', async () => {
  await using db = await openTestDatabase('postgres');
  const ids: string[] = [];
  for (let n = 0; n < 12; n++) ids.push((await addBatch(db, { states: ['queued'] })).id);
  const highest = ids.toSorted().at(-1) ?? '';
  const free = sql<{ id: string }>`select id from batches for update skip locked`;
  const waiting = sql`
    select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;

  await db.transaction(async (tx) => {
    await sql`select 1 from batches where id = ${highest} for update`.execute(tx);
    void sql`delete from images`.execute(db.query);
    await vi.waitFor(async () => expect((await waiting.execute(db.query)).rows).toHaveLength(1));
    // It waits for the last one, so it must hold all others.
    expect((await free.execute(db.query)).rows).toEqual([]);
  });
  await vi.waitFor(async () => expect((await free.execute(db.query)).rows).toHaveLength(12));
});
