// News in the order in which they became true: a follower who reads by number misses nothing and reads nothing twice.

import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { deleteBatch, retryBatch } from '../src/batches/change.ts';
import { newId } from '../src/batches/ids.ts';
import { journalLock } from '../src/batches/journal.ts';
import { submitBatch } from '../src/batches/submit.ts';
import { databaseEngines, onEachDatabase } from './support/databases.ts';
import { doChore, submitCatalog } from './support/batches.ts';
import { compress, ended, failure, imagesOf, openHouse, success, type House } from './support/house.ts';

async function eventsOf(house: House, after = 0) {
  const { rows } = await sql<{
    seq: number;
    type: string;
    images: string[] | null;
    outcomes: string | null;
    generation: number;
  }>`
    select seq, type, images, outcomes, generation from events where seq > ${after} order by seq limit 500`.execute(
    house.app.db.query,
  );
  return rows;
}

async function waitsForLock(house: House): Promise<boolean> {
  const { rows } = await sql`
    select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`.execute(
    house.app.db.query,
  );
  return rows.length > 0;
}

onEachDatabase((engine) => {
  describe('the journal', () => {
    test('tells a batch from its beginning over each image to its end, and once more after a retry', async () => {
      await using house = await openHouse(engine);
      const worker = newId();
      const { id } = await house.submitMany(2);
      const [one, two] = await house.claimAs(worker);
      await house.settleAs(worker, [ended(one!, success()), ended(two!, failure('not_found'))]);
      await retryBatch(house.app, id, {});
      await doChore(house);
      const [again] = await house.claimAs(worker);
      await house.settleAs(worker, [ended(again!, success())]);
      expect((await eventsOf(house)).map(({ type, outcomes, generation }) => [type, outcomes, generation])).toEqual([
        ['batch.created', null, 1],
        ['images.settled', 'sf', 1],
        ['batch.finished', null, 1],
        ['images.settled', 's', 2],
        ['batch.finished', null, 2],
      ]);
    });

    test('tells of a deletion when it has happened, and whose batch it was', async () => {
      await using house = await openHouse(engine);
      const { id } = await house.submitMany(2, { owner: 'shop' });
      await deleteBatch(house.app, id, { cancel: true });
      expect((await eventsOf(house)).map(({ type }) => type)).toEqual(['batch.created']);
      await doChore(house);
      const rows = await house.app.db.query.selectFrom('events').selectAll().orderBy('seq', 'desc').limit(1).execute();
      expect(rows).toMatchObject([{ type: 'batch.deleted', owner: 'shop', batch_id: id }]);
    });

    test.each([3, 700])('tells of rows of %i that can never be fetched, once each and before the end', async (rows) => {
      await using house = await openHouse(engine);
      const urlAt = (n: number) => (n % 3 ? 'https://pictures.example/1.jpg' : 'nowhere');
      const { id } = await submitCatalog(
        house,
        Array.from({ length: rows }, (_, n) => `${n},x,${urlAt(n)}\n`).join(''),
      );
      while (await doChore(house));
      const told = (await eventsOf(house)).filter(({ type }) => type === 'images.settled');
      const bad = (await house.images(id)).filter(({ error_code }) => error_code === 'invalid_url');
      expect(bad).toHaveLength(Math.ceil(rows / 3));
      expect(told.flatMap(({ images }) => images)).toEqual(bad.map((image) => image.id));
      expect(told.map(({ outcomes }) => outcomes).join('')).toBe('f'.repeat(bad.length));
    });

    test('holds at most a hundred images in one entry, a letter for each', async () => {
      await using house = await openHouse(engine);
      const worker = newId();
      await house.submitMany(250);
      const items = await house.claimAs(worker, 250);
      await house.settleAs(
        worker,
        items.map((item, n) => ended(item, n % 2 ? success() : failure('not_found'))),
      );
      const told = (await eventsOf(house)).filter(({ type }) => type === 'images.settled');
      expect(told.map(({ images }) => images!.length)).toEqual([100, 100, 50]);
      expect(told.every(({ images, outcomes }) => images!.length === outcomes!.length)).toBe(true);
    });
  });
});

describe.skipIf(!databaseEngines.includes('postgres'))('beside other writers, on PostgreSQL', () => {
  test('a follower reading by number during four writers sees each image once', async () => {
    await using house = await openHouse('postgres');
    const batches = await Promise.all([1, 2, 3, 4].map(() => house.submitMany(300)));
    let writing = 4;
    const write = async () => {
      const worker = newId();
      for (;;) {
        const items = await house.claimAs(worker, 7);
        if (items.length === 0) break;
        await house.settleAs(
          worker,
          items.map((item) => ended(item, success())),
        );
      }
      writing -= 1;
    };
    const seen: string[] = [];
    const follow = async () => {
      for (let after = 0; ;) {
        const isLast = writing === 0;
        const some = await eventsOf(house, after);
        seen.push(...some.flatMap(({ images }) => images ?? []));
        after = some.at(-1)?.seq ?? after;
        if (isLast && some.length === 0) return;
      }
    };
    await Promise.all([write(), write(), write(), write(), follow()]);
    expect(seen.length).toBe(1_200);
    expect(new Set(seen).size).toBe(1_200);
    for (const { id } of batches) expect(await house.batch(id)).toMatchObject({ state: 'succeeded' });
  });

  test('a submission has done everything else before it waits for the journal', async () => {
    await using house = await openHouse('postgres');
    const written = Promise.withResolvers<void>();
    let done = false;
    const writing = house.app.db.transaction(async (tx) => {
      await sql`select pg_advisory_xact_lock(${journalLock})`.execute(tx);
      await written.promise;
    });
    const input = { surface: 'test', owner: '', renditions: [compress], content: { images: imagesOf(1) } };
    const born = submitBatch(house.app, input, async () => void (done = true));
    await expect.poll(() => done).toBe(true);
    // And yet it waits: its event may have no number before those of whoever was first.
    await expect.poll(() => waitsForLock(house)).toBe(true);
    written.resolve();
    await Promise.all([writing, born]);
    expect((await eventsOf(house)).map(({ type }) => type)).toEqual(['batch.created']);
  });

  test('the deletion of a batch keeps no other writer waiting while it waits itself', async () => {
    await using house = await openHouse('postgres');
    const { id } = await house.submitMany(1, { webhook: { url: 'https://shop.example/hook' } });
    const worker = newId();
    const [item] = await house.claimAs(worker);
    await house.settleAs(worker, [ended(item!, success())]);
    await deleteBatch(house.app, id, { cancel: false });
    const held = Promise.withResolvers<void>();
    const sending = house.app.db.transaction(async (tx) => {
      await sql`select id from deliveries where batch_id = ${id} for update`.execute(tx);
      await held.promise;
    });
    const deleting = doChore(house);
    await expect.poll(() => waitsForLock(house)).toBe(true);
    // A batch is born while the deletion waits for the delivery.
    const born = await Promise.race([
      house.submitMany(1).then(() => 'born'),
      new Promise((resolve) => setTimeout(resolve, 2_000, 'waits')),
    ]);
    held.resolve();
    await Promise.all([sending, deleting]);
    expect(born).toBe('born');
  });
});
