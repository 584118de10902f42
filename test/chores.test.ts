// Chores over whole batches: expand, cancel, retry, delete. Each resumes where its holder died.

import { describe, expect, test } from 'vitest';
import { cancelBatch, deleteBatch, retryBatch } from '../src/batches/change.ts';
import { claimChore, runChore } from '../src/batches/chores.ts';
import { newId } from '../src/batches/ids.ts';
import { chunkOfImages, insertChunk } from '../src/batches/insert.ts';
import { receiveCatalog } from '../src/batches/intake.ts';
import { productPages } from '../src/batches/read-output.ts';
import { enterWorker } from '../src/batches/reap.ts';
import { onEachDatabase } from './support/databases.ts';
import { ended, failure, imagesOf, openHouse, success, type House } from './support/house.ts';

const header = 'S. No.,Product Name,Input Image Urls\n';
const never = new AbortController().signal;

async function submitCatalog(house: House, rows: string) {
  const source = (async function* () {
    yield Buffer.from(header + rows);
  })();
  const catalog = await receiveCatalog(house.app, source, { required: 'all' });
  return house.submit({ catalog });
}

const manyRows = (count: number) =>
  Array.from(
    { length: count },
    (_, n) => `${n + 1},P${n + 1},"https://a.example/${n}.jpg,https://b.example/${n}.jpg"\n`,
  ).join('');

async function doChore(house: House, worker = newId(), signal = never): Promise<string | undefined> {
  const known = await house.app.db.query.selectFrom('workers').select('id').where('id', '=', worker).executeTakeFirst();
  if (!known) await enterWorker(house.app, { id: worker, version: 'test', slots: 1 });
  const chore = await claimChore(house.app, worker);
  if (chore) await runChore(house.app, chore, signal);
  return chore?.kind;
}

onEachDatabase((engine) => {
  describe('expand', () => {
    test('inserts a small catalog with its batch, invalid URLs in their slots', async () => {
      await using house = await openHouse(engine);
      const batch = await submitCatalog(
        house,
        '7,A,"https://a.example/1.jpg,htp://x/2.jpg"\n3,B,https://a.example/3.jpg\n',
      );
      expect(batch).toMatchObject({ state: 'queued', counts: { total: 3, failed: 1 } });
      const images = await house.images(batch.id);
      expect(images.map((image) => [image.position, image.state, image.error_code])).toEqual([
        [1, 'queued', null],
        [2, 'failed', 'invalid_url'],
        [3, 'queued', null],
      ]);
    });

    test('expands a large catalog in chunks and keeps every row in order', async () => {
      await using house = await openHouse(engine);
      const batch = await submitCatalog(house, manyRows(3_000));
      expect(batch).toMatchObject({ state: 'expanding', counts: { total: 6_000 } });
      expect(await doChore(house)).toBe('expand');
      const images = await house.images(batch.id);
      expect(images.map((image) => image.position)).toEqual(Array.from({ length: 6_000 }, (_, n) => n + 1));
      expect(images.at(-1)).toMatchObject({ line: 3_001, source_url: 'https://b.example/2999.jpg' });
      expect(await house.batch(batch.id)).toMatchObject({ state: 'queued' });
    });

    test('goes on where a dead holder stopped, and voids the dead one', async () => {
      await using house = await openHouse(engine);
      const [dead, next] = [newId(), newId()];
      const batch = await submitCatalog(house, manyRows(3_000));
      await enterWorker(house.app, { id: dead, version: 'test', slots: 1 });
      const held = await claimChore(house.app, dead);
      const stop = new AbortController();
      // Each chunk tells the workers: this holder dies at its first.
      const deaf = await house.app.db.listen('work', () => stop.abort());
      await expect(runChore(house.app, held!, stop.signal)).rejects.toThrow('aborted');
      await deaf();
      const before = (await house.images(batch.id)).length;
      expect(before).toBeGreaterThan(0);
      expect(before).toBeLessThan(6_000);
      await house.silence(dead);
      expect(await doChore(house, next)).toBe('expand');
      const images = await house.images(batch.id);
      expect(images.map((image) => image.position)).toEqual(Array.from({ length: 6_000 }, (_, n) => n + 1));
      await runChore(house.app, held!, never);
      expect((await house.images(batch.id)).length).toBe(6_000);
    });

    test('inserts a chunk once, none out of its order, and none of a holder that lost the chore', async () => {
      await using house = await openHouse(engine);
      const batch = await submitCatalog(house, manyRows(600));
      const worker = newId();
      await enterWorker(house.app, { id: worker, version: 'test', slots: 1 });
      const { claims } = (await claimChore(house.app, worker))!;
      const chunk = chunkOfImages(imagesOf(3));
      const place = { batchId: batch.id, worker, claims, row: 0, nextRow: 3, position: 0, attempts: 5 };
      const insert = (more: Partial<typeof place>) =>
        house.app.db.transaction((tx) => insertChunk(tx, chunk, { ...place, ...more }));
      expect(await insert({ claims: claims - 1 })).toBeUndefined();
      expect(await insert({ worker: newId() })).toBeUndefined();
      expect(await insert({})).toEqual({ ended: 0 });
      expect(await insert({})).toBeUndefined();
      expect(await insert({ row: 6, nextRow: 9, position: 6 })).toBeUndefined();
      expect(await insert({ row: 3, nextRow: 6, position: 3 })).toEqual({ ended: 0 });
      expect((await house.images(batch.id)).length).toBe(6);
    });

    test('is not closed between two chunks, however fast its first images end', async () => {
      await using house = await openHouse(engine);
      const batch = await submitCatalog(house, manyRows(600));
      const worker = newId();
      await enterWorker(house.app, { id: worker, version: 'test', slots: 1 });
      const chore = (await claimChore(house.app, worker))!;
      // Rows may have been deleted by hand meanwhile: then the first chunk alone seems to be everything.
      await house.app.db.query.updateTable('batches').set({ total: 2 }).where('id', '=', batch.id).execute();
      const place = { batchId: batch.id, worker, claims: chore.claims, row: 0, nextRow: 1, position: 0, attempts: 5 };
      await house.app.db.transaction((tx) => insertChunk(tx, chunkOfImages(imagesOf(2)), place));
      const items = await house.claimAs(worker);
      await house.settleAs(
        worker,
        items.map((item) => ended(item, success())),
      );
      expect(await house.batch(batch.id)).toMatchObject({ state: 'expanding', counts: { succeeded: 2 } });
    });

    test('closes at once a batch in which nothing can be fetched', async () => {
      await using house = await openHouse(engine);
      const batch = await submitCatalog(house, '1,A,htp://x/2.jpg\n');
      expect(batch).toMatchObject({ state: 'failed', counts: { total: 1, failed: 1 } });
    });
  });

  describe('cancel', () => {
    test('ends what waits, lets running images finish, and closes the batch as canceled', async () => {
      await using house = await openHouse(engine);
      const worker = newId();
      const batch = await house.submitMany(4);
      const [running] = await house.claimAs(worker, 1);
      await cancelBatch(house.app, batch.id);
      await doChore(house);
      expect(await house.batch(batch.id)).toMatchObject({ state: 'running', counts: { canceled: 3 } });
      await house.settleAs(worker, [ended(running!, success())]);
      expect(await house.batch(batch.id)).toMatchObject({ state: 'canceled', counts: { succeeded: 1, canceled: 3 } });
    });

    test('cancels what a running image would have put back', async () => {
      await using house = await openHouse(engine);
      const worker = newId();
      const batch = await house.submitMany(1);
      const [running] = await house.claimAs(worker, 1);
      await cancelBatch(house.app, batch.id);
      await doChore(house);
      await house.settleAs(worker, [ended(running!, { kind: 'retry', code: 'timeout', waitMs: 1000 })]);
      expect(await house.batch(batch.id)).toMatchObject({ state: 'canceled', counts: { canceled: 1 } });
    });

    test('during the expansion still inserts every row, so that the output stays whole', async () => {
      await using house = await openHouse(engine);
      const batch = await submitCatalog(house, manyRows(600));
      await cancelBatch(house.app, batch.id);
      expect(await doChore(house)).toBe('expand');
      expect(await house.batch(batch.id)).toMatchObject({
        state: 'canceled',
        counts: { total: 1_200, canceled: 1_200 },
      });
    });
  });

  describe('retry', () => {
    async function failedBatch(house: House) {
      const worker = newId();
      const batch = await house.submitMany(3);
      const items = await house.claimAs(worker);
      const outcomes = [failure('not_found'), failure('timeout'), success()];
      await house.settleAs(
        worker,
        items.map((item, n) => ended(item, outcomes[n]!)),
      );
      return batch;
    }

    test('runs only the failed images of the codes asked for, as a new generation', async () => {
      await using house = await openHouse(engine);
      const { id } = await failedBatch(house);
      const { retried, batch } = await retryBatch(house.app, id, { codes: ['timeout'] });
      expect(retried).toBe(1);
      expect(batch).toMatchObject({ state: 'running', generation: 2 });
      await doChore(house);
      expect((await house.batch(id)).counts).toEqual({ total: 3, succeeded: 1, failed: 1, canceled: 0 });
      const worker = newId();
      const [again, ...others] = await house.claimAs(worker);
      expect(others).toEqual([]);
      await house.settleAs(worker, [ended(again!, success())]);
      expect(await house.batch(id)).toMatchObject({
        state: 'partially_succeeded',
        counts: { succeeded: 2, failed: 1 },
      });
    });

    test('sends a second webhook with an id of its own', async () => {
      await using house = await openHouse(engine);
      const worker = newId();
      const batch = await house.submitMany(1, { webhook: { url: 'https://shop.example/hook' } });
      for (const outcome of [failure('timeout'), success()]) {
        const [item] = await house.claimAs(worker);
        await house.settleAs(worker, [ended(item!, outcome)]);
        if (outcome.kind === 'failed') {
          await retryBatch(house.app, batch.id, {});
          await doChore(house);
        }
      }
      const deliveries = await house.app.db.query.selectFrom('deliveries').selectAll().execute();
      expect(new Set(deliveries.map((delivery) => delivery.generation))).toEqual(new Set([1, 2]));
      expect(new Set(deliveries.map((delivery) => delivery.id)).size).toBe(2);
    });

    test('refuses when nothing matches, and while the batch runs', async () => {
      await using house = await openHouse(engine);
      const { id } = await failedBatch(house);
      await expect(retryBatch(house.app, id, { codes: ['corrupt_image'] })).rejects.toMatchObject({
        code: 'nothing_to_retry',
      });
      await retryBatch(house.app, id, {});
      await expect(retryBatch(house.app, id, {})).rejects.toMatchObject({ code: 'batch_running' });
    });
  });

  describe('delete', () => {
    test('is invisible at once and then leaves no row and sends its files to the trash', async () => {
      await using house = await openHouse(engine);
      const worker = newId();
      const batch = await house.submitMany(2);
      const items = await house.claimAs(worker);
      await house.settleAs(
        worker,
        items.map((item) => ended(item, success())),
      );
      await deleteBatch(house.app, batch.id, { cancel: false });
      await expect(house.batch(batch.id)).rejects.toThrow('no such batch');
      expect(await doChore(house)).toBe('delete');
      const { query } = house.app.db;
      expect(await query.selectFrom('images').select('id').execute()).toEqual([]);
      expect((await query.selectFrom('trash').select('file').execute()).length).toBe(2);
      const events = await query.selectFrom('events').select('type').where('batch_id', '=', batch.id).execute();
      expect(events.map((event) => event.type)).toContain('batch.deleted');
    });

    test('refuses a running batch unless it may cancel it', async () => {
      await using house = await openHouse(engine);
      const batch = await house.submitMany(1);
      await expect(deleteBatch(house.app, batch.id, { cancel: false })).rejects.toMatchObject({
        code: 'batch_running',
      });
      await deleteBatch(house.app, batch.id, { cancel: true });
      expect(await doChore(house)).toBe('delete');
    });
  });

  describe('the output', () => {
    test('gives every product with its images in input order', async () => {
      await using house = await openHouse(engine);
      const batch = await submitCatalog(
        house,
        `1,A,"https://a.example/1.jpg,htp://no"\n2,B,\n${manyRows(1_500).replaceAll(/^(?=\d)/gm, 'x')}`,
      );
      while (await doChore(house));
      const products = (await Array.fromAsync(productPages(house.app, await house.batch(batch.id)))).flat();
      expect(products.slice(0, 2)).toMatchObject([
        { serial: '1', name: 'A', images: [{ state: 'queued' }, { state: 'failed', errorCode: 'invalid_url' }] },
        { serial: '2', name: 'B', images: [] },
      ]);
      expect(products.length).toBe(1_502);
      expect(products.slice(2).every((product) => product.images.length === 2)).toBe(true);
    });
  });
});
