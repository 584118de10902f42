// How images end: fenced, counted, told once, and the last one closes the batch.

import { describe, expect, test } from 'vitest';
import { newFileName, newId } from '../src/batches/ids.ts';
import { reapSilentWorkers } from '../src/batches/reap.ts';
import { openSettling } from '../src/batches/settling.ts';
import { keyOf } from '../src/storage/storage.ts';
import { never } from './support/batches.ts';
import { onEachDatabase } from './support/databases.ts';
import { ended, failure, openHouse, retry, success } from './support/house.ts';

onEachDatabase((engine) => {
  describe('claim', () => {
    test('hands out every image once, in input order', async () => {
      await using house = await openHouse(engine);
      const batch = await house.submitMany(5);
      const [first, second] = [newId(), newId()];
      const some = await house.claimAs(first, 3);
      const rest = await house.claimAs(second, 10);
      const taken = [...some, ...rest].map((item) => item.id);
      expect(taken).toEqual((await house.images(batch.id)).map((image) => image.id));
      expect(await house.claimAs(first)).toEqual([]);
    });

    test('starts the batch with its first image', async () => {
      await using house = await openHouse(engine);
      const batch = await house.submitMany(2);
      expect(batch).toMatchObject({ state: 'queued', startedAt: null });
      await house.claimAs(newId(), 1);
      expect(await house.batch(batch.id)).toMatchObject({ state: 'running', startedAt: expect.any(Date) });
    });

    test('lets two batches take turns', async () => {
      await using house = await openHouse(engine);
      const early = await house.submitMany(60);
      await house.claimAs(newId(), 20);
      const late = await house.submitMany(60);
      const next = await house.claimAs(newId(), 20, [1, 1]);
      const ofLate = next.filter((item) => item.batchId === late.id).length;
      expect(next.filter((item) => item.batchId === early.id).length + ofLate).toBe(20);
      expect(ofLate).toBeGreaterThanOrEqual(8);
      expect(ofLate).toBeLessThanOrEqual(12);
    });
  });

  describe('settle', () => {
    test('closes the batch with exact counts when its last image ends', async () => {
      await using house = await openHouse(engine);
      const worker = newId();
      const batch = await house.submitMany(3, { webhook: { url: 'https://shop.example/hook' } });
      const items = await house.claimAs(worker);
      const outcomes = [
        success({ bytesIn: 10, bytesOut: 4 }),
        failure('not_found'),
        success({ bytesIn: 20, bytesOut: 6 }),
      ];
      await house.settleAs(
        worker,
        items.slice(0, 2).map((item, n) => ended(item, outcomes[n]!)),
      );
      expect(await house.batch(batch.id)).toMatchObject({ state: 'running', counts: { succeeded: 1, failed: 1 } });
      await house.settleAs(worker, [ended(items[2]!, outcomes[2]!)]);
      expect(await house.batch(batch.id)).toMatchObject({
        state: 'partially_succeeded',
        counts: { total: 3, succeeded: 2, failed: 1, canceled: 0 },
        bytes: { in: 30, out: 10 },
        webhook: { state: 'queued' },
        finishedAt: expect.any(Date),
      });
    });

    test('tells of every image once and of the end once', async () => {
      await using house = await openHouse(engine);
      const worker = newId();
      const batch = await house.submitMany(250);
      const items = await house.claimAs(worker, 250);
      await house.settleAs(
        worker,
        items.map((item) => ended(item, success())),
      );
      const events = await house.app.db.query
        .selectFrom('events')
        .selectAll()
        .where('batch_id', '=', batch.id)
        .execute();
      const told = events.flatMap((event) => event.images ?? []);
      expect(new Set(told).size).toBe(250);
      expect(told.length).toBe(250);
      expect(events.filter((event) => event.type === 'batch.finished').length).toBe(1);
      expect(events.every((event) => event.seq !== null)).toBe(true);
    });

    test('voids the result of a worker that no longer holds the image', async () => {
      await using house = await openHouse(engine);
      const [late, next, watcher] = [newId(), newId(), newId()];
      const batch = await house.submitMany(1);
      const [item] = await house.claimAs(late);
      await house.silence(late);
      await reapSilentWorkers(house.app, watcher);
      const [again] = await house.claimAs(next, 1, [2, 2]);
      expect(await house.settleAs(late, [ended(item!, failure('corrupt_image'))])).toEqual(new Set());
      await house.settleAs(next, [ended(again!, success())]);
      expect(await house.settleAs(late, [ended(item!, failure('corrupt_image'))])).toEqual(new Set());
      expect(await house.image(item!.id)).toMatchObject({ state: 'succeeded', worker: next });
      expect(await house.batch(batch.id)).toMatchObject({ state: 'succeeded', counts: { succeeded: 1, failed: 0 } });
    });

    test('takes no result of another worker, nor of an earlier try of the same one', async () => {
      await using house = await openHouse(engine);
      const [worker, stranger] = [newId(), newId()];
      await house.submitMany(1);
      const [early] = await house.claimAs(worker, 1);
      expect(await house.settleAs(stranger, [ended(early!, success())])).toEqual(new Set());
      await house.settleAs(worker, [ended(early!, retry('timeout', 0))]);
      const [late] = await house.claimAs(worker, 1);
      expect(await house.settleAs(worker, [ended(early!, success())])).toEqual(new Set());
      expect(await house.image(early!.id)).toMatchObject({ state: 'running' });
      expect(await house.settleAs(worker, [ended(late!, success())])).toEqual(new Set([late!.id]));
    });

    test('counts a repeated settle once', async () => {
      await using house = await openHouse(engine);
      const worker = newId();
      const batch = await house.submitMany(2);
      const [item] = await house.claimAs(worker, 1);
      const done = ended(item!, success());
      expect(await house.settleAs(worker, [done])).toEqual(new Set([item!.id]));
      expect(await house.settleAs(worker, [done])).toEqual(new Set());
      expect(await house.batch(batch.id)).toMatchObject({ counts: { succeeded: 1 } });
    });

    test('waits before another try, and fails when no try is left', async () => {
      await using house = await openHouse(engine);
      const worker = newId();
      const batch = await house.submitMany(1);
      for (let round = 1; round <= 5; round += 1) {
        const [item] = await house.claimAs(worker, 1);
        await house.settleAs(worker, [ended(item!, retry('timeout', round < 5 ? 0 : 1000))]);
      }
      const [image] = await house.images(batch.id);
      expect(image).toMatchObject({ state: 'failed', error_code: 'timeout', attempts: 5, attempts_left: 0 });
      expect(image!.history).toHaveLength(5);
      expect(await house.batch(batch.id)).toMatchObject({ state: 'failed', counts: { failed: 1 } });
    });

    test('keeps a waiting image out of the queue until its time', async () => {
      await using house = await openHouse(engine);
      const worker = newId();
      await house.submitMany(1);
      const [item] = await house.claimAs(worker, 1);
      await house.settleAs(worker, [ended(item!, retry('timeout', 60_000))]);
      expect(await house.claimAs(worker, 1)).toEqual([]);
      expect(await house.image(item!.id)).toMatchObject({ state: 'queued', run_at: expect.any(Date) });
    });

    test('gives the attempt back for a fault of our own house and for a pause of the host', async () => {
      await using house = await openHouse(engine);
      const worker = newId();
      await house.submitMany(1);
      for (const outcome of [{ kind: 'release' }, { kind: 'park', waitMs: 0 }] as const) {
        const [item] = await house.claimAs(worker, 1);
        await house.settleAs(worker, [ended(item!, outcome)]);
        expect(await house.image(item!.id)).toMatchObject({ state: 'queued', attempts_left: 5 });
      }
    });

    test('whose answer got lost keeps its files, and a void one leaves none', async () => {
      await using house = await openHouse(engine);
      const worker = newId();
      await house.submitMany(2);
      const [first, second] = await house.claimAs(worker, 2);
      const [mine, void_] = [newFileName('jpg'), newFileName('jpg')];
      for (const file of [mine, void_])
        await house.app.storage.put(keyOf(file), Buffer.from('x'), { type: 'image/jpeg' });
      let lost = 1;
      const transaction: typeof house.app.db.transaction = async (...all) => {
        const result = await house.app.db.transaction(...all);
        if (lost-- > 0) throw new Error('the connection is gone');
        return result;
      };
      const app = { ...house.app, db: { ...house.app.db, transaction } };
      const settling = openSettling(app, { worker, dead: never, leaving: never });
      await settling.settle(first!, success({ file: mine }));
      await settling.settle({ ...second!, attempt: 9 }, success({ file: void_ }));
      expect(await house.image(first!.id)).toMatchObject({ state: 'succeeded' });
      expect(await house.app.storage.open(keyOf(void_))).toBeUndefined();
      const kept = await house.app.storage.open(keyOf(mine));
      expect(kept?.bytes).toBe(1);
      kept?.body.destroy();
    });

    test('puts an image back whose shared file was swept meanwhile', async () => {
      await using house = await openHouse(engine);
      const worker = newId();
      await house.submitMany(1);
      const [item] = await house.claimAs(worker, 1);
      await house.settleAs(worker, [ended(item!, success({ file: 'gone.jpg', fresh: false }))]);
      expect(await house.image(item!.id)).toMatchObject({ state: 'queued', attempts_left: 5 });
    });
  });
});
