// Dead workers: what they held is handed on, and what keeps killing them ends alone.

import { describe, expect, test } from 'vitest';
import { newId } from '../src/batches/ids.ts';
import { closeStragglers, heartbeat, reapSilentWorkers, wakeWaiting } from '../src/batches/reap.ts';
import { onEachDatabase } from './support/databases.ts';
import { ended, openHouse, retry, success } from './support/house.ts';

onEachDatabase((engine) => {
  describe('reap', () => {
    test('hands out again what a dead worker held, as a suspect and without costing a try', async () => {
      await using house = await openHouse(engine);
      const [dead, alive] = [newId(), newId()];
      await house.submitMany(2);
      const held = await house.claimAs(dead);
      await house.silence(dead, 11);
      expect(await reapSilentWorkers(house.app, alive)).toBe(2);
      expect(await house.image(held[0]!.id)).toMatchObject({ state: 'queued', lane: 2, strikes: 1, attempts_left: 5 });
      expect(await house.claimAs(alive, 10, [0, 1])).toEqual([]);
      expect((await house.claimAs(alive, 1, [2, 2])).length).toBe(1);
    });

    test('leaves a worker alone that was heard of a moment ago', async () => {
      await using house = await openHouse(engine);
      const [quiet, watcher] = [newId(), newId()];
      await house.submitMany(1);
      const [item] = await house.claimAs(quiet);
      await house.silence(quiet, 9);
      expect(await reapSilentWorkers(house.app, watcher)).toBe(0);
      expect(await house.image(item!.id)).toMatchObject({ state: 'running', worker: quiet });
    });

    test('tells a worker that was declared dead at its next heartbeat', async () => {
      await using house = await openHouse(engine);
      const [dead, watcher] = [newId(), newId()];
      await house.submitMany(1);
      await house.claimAs(dead);
      expect(await heartbeat(house.app, dead, 1)).toBe(true);
      await house.silence(dead);
      await reapSilentWorkers(house.app, watcher);
      expect(await heartbeat(house.app, dead, 1)).toBe(false);
    });

    test('sends a suspect to the end of its lane each time its worker dies', async () => {
      await using house = await openHouse(engine);
      await house.submitMany(3);
      const first = newId();
      await house.claimAs(first);
      await house.silence(first);
      await reapSilentWorkers(house.app, newId());
      const order: string[] = [];
      for (let round = 0; round < 4; round += 1) {
        const worker = newId();
        const [suspect] = await house.claimAs(worker, 1, [2, 2]);
        order.push(suspect!.id);
        await house.silence(worker);
        await reapSilentWorkers(house.app, newId());
      }
      expect(new Set(order.slice(0, 3)).size).toBe(3);
      expect(order[3]).toBe(order[0]);
    });

    test('ends an image as worker_lost after its fifth worker, and closes its batch', async () => {
      await using house = await openHouse(engine);
      const batch = await house.submitMany(1);
      for (let round = 1; round <= 5; round += 1) {
        const worker = newId();
        expect((await house.claimAs(worker, 1, [0, 2])).length).toBe(1);
        await house.silence(worker);
        await reapSilentWorkers(house.app, newId());
      }
      const [image] = await house.images(batch.id);
      expect(image).toMatchObject({ state: 'failed', error_code: 'worker_lost', strikes: 5 });
      expect(await house.batch(batch.id)).toMatchObject({ state: 'failed', counts: { failed: 1 } });
    });
  });

  describe('the housekeeper', () => {
    test('makes waiting images due when their time has come', async () => {
      await using house = await openHouse(engine);
      const worker = newId();
      await house.submitMany(1);
      const [item] = await house.claimAs(worker);
      await house.settleAs(worker, [ended(item!, retry('timeout', 1))]);
      await expect.poll(() => wakeWaiting(house.app)).toBe(1);
      expect((await house.claimAs(worker)).length).toBe(1);
    });

    test('closes a batch whose rows were deleted by hand', async () => {
      await using house = await openHouse(engine);
      const worker = newId();
      const batch = await house.submitMany(2);
      const [item] = await house.claimAs(worker, 1);
      await house.settleAs(worker, [ended(item!, success())]);
      await house.app.db.query.deleteFrom('images').where('state', '=', 'queued').execute();
      expect(await closeStragglers(house.app)).toBe(1);
      expect(await house.batch(batch.id)).toMatchObject({ state: 'succeeded', counts: { total: 1, succeeded: 1 } });
    });

    test('closes a batch as canceled when no row of it is left', async () => {
      await using house = await openHouse(engine);
      const batch = await house.submitMany(2);
      await house.app.db.query.deleteFrom('images').execute();
      await closeStragglers(house.app);
      expect(await house.batch(batch.id)).toMatchObject({ state: 'canceled', counts: { total: 0 } });
    });
  });
});
