// What is given up halfway, images as chores, comes back once, to the right hands.

import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { cancelBatch, retryBatch } from '../src/batches/change.ts';
import { claimChore, releaseChore, runChore } from '../src/batches/chores.ts';
import { newId } from '../src/batches/ids.ts';
import { enterWorker, reapSilentWorkers, releaseStrays } from '../src/batches/reap.ts';
import { catalogRows, doChore, never, submitCatalog } from './support/batches.ts';
import { onEachDatabase } from './support/databases.ts';
import { ended, failure, openHouse } from './support/house.ts';

onEachDatabase((engine) => {
  describe('what is put back', () => {
    test('an image of a canceled batch whose worker died is canceled, and its batch ends', async () => {
      await using house = await openHouse(engine);
      const dead = newId();
      const batch = await house.submitMany(2);
      await house.claimAs(dead, 1);
      await cancelBatch(house.app, batch.id);
      await doChore(house);
      await house.silence(dead);
      await reapSilentWorkers(house.app, newId());
      expect(await house.batch(batch.id)).toMatchObject({ state: 'canceled', counts: { canceled: 2 } });
    });

    test('an image whose claim was committed but never answered is put back without costing a try', async () => {
      await using house = await openHouse(engine);
      const worker = newId();
      const batch = await house.submitMany(2);
      const [held, lost] = await house.claimAs(worker, 2);
      expect(await releaseStrays(house.app, worker, [held!.id])).toBe(0);
      await sql`update images set started_at = now() - interval '1 minute'`.execute(house.app.db.query);
      expect(await releaseStrays(house.app, worker, [held!.id])).toBe(1);
      const [first, second] = await house.images(batch.id);
      expect(first).toMatchObject({ id: held!.id, state: 'running' });
      expect(second).toMatchObject({ id: lost!.id, state: 'queued', worker: null, attempts_left: 5, strikes: 0 });
    });
  });

  describe('a chore', () => {
    test('that only seems to be held is taken up by the same worker, one in hand is not', async () => {
      await using house = await openHouse(engine);
      const worker = newId();
      const batch = await submitCatalog(house, catalogRows(600));
      await enterWorker(house.app, { id: worker, version: 'test', slots: 1 });
      const first = await claimChore(house.app, worker);
      expect(await claimChore(house.app, worker, new Set([batch.id]))).toBeUndefined();
      const again = await claimChore(house.app, worker, new Set());
      expect(again).toMatchObject({ batchId: batch.id, claims: first!.claims + 1 });
      await runChore(house.app, first!, never);
      expect(await house.images(batch.id)).toEqual([]);
      await runChore(house.app, again!, never);
      expect((await house.images(batch.id)).length).toBe(600);
    });

    test('that fails each time keeps no other waiting', async () => {
      await using house = await openHouse(engine);
      const bad = await submitCatalog(house, catalogRows(600));
      const good = await submitCatalog(house, catalogRows(600));
      const worker = newId();
      await enterWorker(house.app, { id: worker, version: 'test', slots: 1 });
      const first = await claimChore(house.app, worker, new Set());
      expect(first?.batchId).toBe(bad.id);
      await releaseChore(house.app, first!);
      expect((await claimChore(house.app, worker, new Set()))?.batchId).toBe(good.id);
    });

    test('that cancels stops when its batch was opened again', async () => {
      await using house = await openHouse(engine);
      const [worker, paused] = [newId(), newId()];
      const { id } = await house.submitMany(2);
      const items = await house.claimAs(worker);
      await cancelBatch(house.app, id);
      await enterWorker(house.app, { id: paused, version: 'test', slots: 1 });
      const cancelling = await claimChore(house.app, paused);
      await house.settleAs(
        worker,
        items.map((item) => ended(item, failure('timeout'))),
      );
      await retryBatch(house.app, id, {});
      await doChore(house);
      await runChore(house.app, cancelling!, never);
      expect((await house.images(id)).map((image) => image.state)).toEqual(['queued', 'queued']);
    });
  });
});
