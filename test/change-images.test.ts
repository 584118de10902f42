// Single images are retried, canceled and deleted by people while workers run: counters stay exact, each end is told once.

import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { cancelImage, deleteImages, retryImage } from '../src/batches/change-images.ts';
import { cancelBatch, deleteBatch, retryBatch } from '../src/batches/change.ts';
import { newId } from '../src/batches/ids.ts';
import { reapSilentWorkers, wakeWaiting } from '../src/batches/reap.ts';
import { emptyTrash } from '../src/batches/sweep.ts';
import type { Tx } from '../src/db/database.ts';
import { Problem } from '../src/problem.ts';
import { keyOf } from '../src/storage/storage.ts';
import { doChore, findMistakes, never } from './support/batches.ts';
import { databaseEngines, onEachDatabase } from './support/databases.ts';
import { compress, ended, failure, openHouse, success, type House } from './support/house.ts';
import { calm, doChoresUntil, lasting, seeded, workUntil, type Chance, type Over } from './support/storm.ts';

const anybody = {};
const events = async (house: House, batchId: string) =>
  (
    await sql<{ type: string; generation: number; outcomes: string | null }>`
      select type, generation, outcomes from events where batch_id = ${batchId} order by seq`.execute(
      house.app.db.query,
    )
  ).rows.map(({ type, generation, outcomes }) => [type, generation, outcomes].join(' ').trim());

/** A batch of `count` images whose first has failed and whose others have succeeded. */
async function endedBatch(house: House, count: number) {
  const worker = newId();
  const batch = await house.submitMany(count, { webhook: { url: 'https://hook.example/' } });
  const items = await house.claimAs(worker);
  const first = items.find(({ id }) => id === items.map((item) => item.id).toSorted()[0]);
  const outcomes = items.map((item) => ended(item, item === first ? failure('not_found') : success()));
  await house.settleAs(worker, outcomes);
  return { id: batch.id, failed: first!.id };
}

onEachDatabase((engine) => {
  describe('a retry of one image', () => {
    test('opens its batch for a new generation, which ends with it', async () => {
      await using house = await openHouse(engine);
      const { id, failed } = await endedBatch(house, 3);
      const image = await retryImage(house.app, failed, anybody);
      expect(image).toMatchObject({ state: 'queued', error: null, finishedAt: null });
      expect(await house.batch(id)).toMatchObject({
        state: 'running',
        generation: 2,
        counts: { total: 3, succeeded: 2, failed: 0 },
        finishedAt: null,
      });
      const worker = newId();
      const items = await house.claimAs(worker, 10, [0, 0]);
      expect(items.map((item) => item.id)).toEqual([failed]);
      await house.settleAs(
        worker,
        items.map((item) => ended(item, success())),
      );
      expect(await house.batch(id)).toMatchObject({ state: 'succeeded', counts: { succeeded: 3, failed: 0 } });
      expect(await events(house, id)).toEqual([
        'batch.created 1',
        'images.settled 1 fss',
        'batch.finished 1',
        'images.settled 2 s',
        'batch.finished 2',
      ]);
      const { rows } = await sql`select generation from deliveries where batch_id = ${id}`.execute(house.app.db.query);
      expect(rows).toHaveLength(2);
      expect(await findMistakes(house.app.db)).toEqual([]);
    });

    test('is refused while the batch runs, when the image has not failed, and to strangers', async () => {
      await using house = await openHouse(engine);
      const { failed } = await endedBatch(house, 2);
      const running = await house.submitMany(2);
      const [waiting] = await house.images(running.id);
      await expect(retryImage(house.app, waiting!.id, anybody)).rejects.toMatchObject({ code: 'batch_running' });
      await expect(retryImage(house.app, newId(), anybody)).rejects.toMatchObject({ code: 'not_found' });
      await expect(retryImage(house.app, failed, { owner: 'other' })).rejects.toMatchObject({ code: 'not_found' });
      await retryImage(house.app, failed, { owner: '' });
      await expect(retryImage(house.app, failed, anybody)).rejects.toMatchObject({ code: 'batch_running' });
    });

    test('finds nothing to try of an upload that was no picture, and its reason stays', async () => {
      await using house = await openHouse(engine);
      const refused = { source: { refused: 'not_an_image', bytes: 7 } } as const;
      const { id } = await house.submit([refused, { source: { url: 'https://pictures.example/1.jpg' } }]);
      const worker = newId();
      const items = await house.claimAs(worker);
      await house.settleAs(
        worker,
        items.map((item) => ended(item, failure('timeout'))),
      );
      const [born] = await house.images(id);
      await expect(retryImage(house.app, born!.id, anybody)).rejects.toMatchObject({
        code: 'nothing_to_retry',
        message: 'This file was no picture, so nothing of it was kept. Upload it again.',
      });
      const retried = retryBatch(house.app, id, { codes: ['not_an_image'] });
      await expect(retried).rejects.toMatchObject({ code: 'nothing_to_retry' });
      expect(await retryBatch(house.app, id, {})).toMatchObject({ retried: 1 });
    });
  });

  describe('a cancellation of one image', () => {
    test('ends it if it waits, and with the last one the batch', async () => {
      await using house = await openHouse(engine);
      const batch = await house.submitMany(2);
      const [first, second] = await house.images(batch.id);
      expect(await cancelImage(house.app, first!.id, anybody)).toMatchObject({ state: 'canceled' });
      expect(await cancelImage(house.app, first!.id, anybody)).toMatchObject({ state: 'canceled' });
      expect(await house.batch(batch.id)).toMatchObject({ state: 'queued', counts: { canceled: 1 } });
      const worker = newId();
      const items = await house.claimAs(worker);
      expect(items.map((item) => item.id)).toEqual([second!.id]);
      await expect(cancelImage(house.app, second!.id, anybody)).rejects.toMatchObject({ code: 'image_running' });
      await expect(cancelImage(house.app, second!.id, { owner: 'other' })).rejects.toMatchObject({ code: 'not_found' });
      await house.settleAs(
        worker,
        items.map((item) => ended(item, success())),
      );
      expect(await house.batch(batch.id)).toMatchObject({ state: 'canceled', counts: { canceled: 1, succeeded: 1 } });
      expect(await events(house, batch.id)).toEqual([
        'batch.created 1',
        'images.settled 1 c',
        'images.settled 1 s',
        'batch.finished 1',
      ]);
    });
  });

  describe('a deletion of images', () => {
    test('takes rows, counters and files, voids what a worker does, and ends a batch without open images', async () => {
      await using house = await openHouse(engine);
      const worker = newId();
      const batch = await house.submitMany(4);
      const items = (await house.claimAs(worker)).toSorted((a, b) => (a.id < b.id ? -1 : 1));
      const [first, second, third, fourth] = items;
      const stored = success({ file: 'kept-until-the-sweep.jpg' });
      await house.app.storage.put(keyOf('kept-until-the-sweep.jpg'), Buffer.from('x'), { type: 'image/jpeg' });
      await house.settleAs(worker, [ended(first!, stored), ended(second!, success())]);
      expect(await deleteImages(house.app, [first!.id, third!.id, newId()], anybody)).toBe(2);
      expect(await house.batch(batch.id)).toMatchObject({ state: 'running', counts: { total: 2, succeeded: 1 } });
      expect(await house.settleAs(worker, [ended(third!, success())])).toEqual(new Set());
      expect(await deleteImages(house.app, [fourth!.id], { owner: 'other' })).toBe(0);
      expect(await deleteImages(house.app, [fourth!.id], anybody)).toBe(1);
      expect(await house.batch(batch.id)).toMatchObject({ state: 'succeeded', counts: { total: 1, succeeded: 1 } });
      await emptyTrash(house.app, never);
      expect(await house.app.storage.list(undefined, 10)).toEqual([]);
      expect(await findMistakes(house.app.db)).toEqual([]);
    });

    test('of a deleted batch finds nothing', async () => {
      await using house = await openHouse(engine);
      const { id, failed } = await endedBatch(house, 2);
      await deleteBatch(house.app, id, { cancel: false });
      expect(await deleteImages(house.app, [failed], anybody)).toBe(0);
      await expect(retryImage(house.app, failed, anybody)).rejects.toMatchObject({ code: 'not_found' });
      await expect(cancelImage(house.app, failed, anybody)).rejects.toMatchObject({ code: 'not_found' });
      await doChore(house);
    });
  });
});

describe.skipIf(!databaseEngines.includes('postgres'))('races on PostgreSQL', () => {
  test('workers, deaths, and people at single images leave exact counters and one end a generation', async () => {
    await using house = await openHouse('postgres');
    const chance = seeded(11);
    const ids: string[] = [];
    for (let n = 0; n < 16; n += 1) ids.push((await house.submitMany(3 + 9 * n, { renditions: [compress] })).id);
    const done = { retry: 0, cancel: 0, delete: 0 };
    const over = lasting(6_000, () => Math.min(done.retry, done.cancel, done.delete) > 0);
    const people = [1, 2, 3].map((n) => changeUntil(house, ids, { over, chance: seeded(n), done }));
    const working = Array.from({ length: 4 }, () => workUntil(house, over, chance));
    await Promise.all([...working, ...people, doChoresUntil(house, over)]);
    await calm(house);
    expect(await findMistakes(house.app.db)).toEqual([]);
    expect(await toldTwice(house)).toEqual([]);
    expect(Math.min(done.retry, done.cancel, done.delete)).toBeGreaterThan(0);
  });
});

describe.skipIf(!databaseEngines.includes('postgres'))('a change that meets a worker', () => {
  /** Lets `change` begin while a worker has the row in hand, and end after the worker's commit. */
  async function meet(house: House, id: string, work: (tx: Tx) => Promise<unknown>, change: () => Promise<unknown>) {
    const [locked, waited] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const working = house.app.db.transaction(async (tx) => {
      await sql`select id from images where id = ${id} for update`.execute(tx);
      locked.resolve();
      await waited.promise;
      await work(tx);
    });
    await locked.promise;
    const changing = change().then(
      () => 'done',
      (error: unknown) => (error as Problem).code,
    );
    await someoneWaits(house);
    waited.resolve();
    await working;
    return changing;
  }

  test('cancels no image that was claimed just before', async () => {
    await using house = await openHouse('postgres');
    const batch = await house.submitMany(1);
    const [image] = await house.images(batch.id);
    const claim = (tx: Tx) =>
      sql`update images set state = 'running', worker = 'w' where id = ${image!.id}`.execute(tx);
    expect(await meet(house, image!.id, claim, () => cancelImage(house.app, image!.id, anybody))).toBe('image_running');
    expect(await house.batch(batch.id)).toMatchObject({ counts: { canceled: 0 } });
  });

  test('retries no image that somebody else has just put back', async () => {
    await using house = await openHouse('postgres');
    const { id, failed } = await endedBatch(house, 2);
    const again = () => retryImage(house.app, failed, anybody);
    const twice = await Promise.allSettled([again(), again(), again()]);
    expect(twice.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await house.batch(id)).toMatchObject({ generation: 2, counts: { failed: 0, succeeded: 1 } });
  });
});

async function someoneWaits(house: House): Promise<void> {
  const waiting = async () => {
    const { rows } = await sql<{ n: number }>`
      select count(*) as n from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`.execute(house.app.db.query);
    return Number(rows[0]!.n);
  };
  await expect.poll(waiting, { timeout: 10_000, interval: 10 }).toBeGreaterThan(0);
}

/** People who change single images, and now and then a whole batch, in any state. */
async function changeUntil(
  house: House,
  ids: string[],
  { over, chance, done }: { over: Over; chance: Chance; done: Record<'retry' | 'cancel' | 'delete', number> },
): Promise<void> {
  const refusals = new Set(['batch_running', 'nothing_to_retry', 'image_running', 'not_found']);
  const image = async () => {
    const { rows } = await sql<{ id: string }>`
      select id from images where state = ${states[chance(states.length)]}
      order by md5(id::text || ${chance(1_000)}) limit 1`.execute(house.app.db.query);
    return rows[0]?.id ?? newId();
  };
  const acts = [
    async () => void (await retryImage(house.app, await image(), anybody), (done.retry += 1)),
    async () => void (await retryImage(house.app, await image(), anybody), (done.retry += 1)),
    async () => void (await cancelImage(house.app, await image(), anybody), (done.cancel += 1)),
    // Rare, or nothing would be left to retry before the first batch has ended.
    async () => {
      if (chance(20) !== 0) return;
      await deleteImages(house.app, [await image(), await image()], anybody);
      done.delete += 1;
    },
    () => (chance(8) === 0 ? retryBatch(house.app, ids[chance(ids.length)]!, {}) : undefined),
    () => (chance(20) === 0 ? cancelBatch(house.app, ids[chance(ids.length)]!) : undefined),
    () => wakeWaiting(house.app),
    // What the dead hold keeps their batches open, and no image of an open batch can be retried.
    () => reapSilentWorkers(house.app, newId()),
  ];
  while (!over()) {
    try {
      await acts[chance(acts.length)]!();
    } catch (error) {
      if (!(error instanceof Problem) || !refusals.has(error.code)) throw error;
    }
  }
}

const states = ['queued', 'running', 'failed', 'failed', 'canceled', 'succeeded'];

/** Images whose end was told more than once in one generation of their batch. */
async function toldTwice(house: House): Promise<unknown[]> {
  const { rows } = await sql`
    select batch_id, generation, image, count(*) from events, unnest(images) as image
    where type = 'images.settled' group by 1, 2, 3 having count(*) > 1`.execute(house.app.db.query);
  return rows;
}
