// Who is served when more waits than can be worked on: batches take turns, keys have about equal shares, people come first.

import { describe, expect, test, vi } from 'vitest';
import { retryBatch } from '../src/batches/change.ts';
import { newId } from '../src/batches/ids.ts';
import type { Batch } from '../src/batches/model.ts';
import { openDatabaseQueue } from '../src/queue/database.ts';
import { openQueue } from '../src/queue/index.ts';
import type { Queue } from '../src/queue/queue.ts';
import { doChore } from './support/batches.ts';
import { onEachDatabase, silent } from './support/databases.ts';
import { openGatedWorker, type GatedWorker } from './support/gated-worker.ts';
import { ended, failure, openHouse, type House } from './support/house.ts';
import { redisProgram, startRedis } from './support/redis.ts';

const slots = 2;
const patience = { timeout: 20_000 };

/** Works as one worker does, some images at a time; returns whose images ended, in order. */
async function settleSome(house: House, count: number, nameOf: Map<string, string>): Promise<string[]> {
  const worker = newId();
  const order: string[] = [];
  while (order.length < count) {
    const claimed = await house.claimAs(worker, 50, [0, 1]);
    if (claimed.length === 0) break;
    await house.settleAs(
      worker,
      claimed.map((item) => ended(item, failure('not_found'))),
    );
    order.push(...claimed.map(({ batchId }) => nameOf.get(batchId) ?? 'unknown'));
  }
  return order;
}

/** The share of `name` in each thousand that follow each other, one thousand beginning every fifty. */
function sharesOf(name: string, order: string[]): number[] {
  const shares: number[] = [];
  for (let from = 0; from + 1_000 <= order.length; from += 50)
    shares.push(order.slice(from, from + 1_000).filter((each) => each === name).length / 1_000);
  return shares;
}

const named = (...batches: [string, Batch][]) => new Map(batches.map(([name, { id }]) => [id, name]));

onEachDatabase((engine) => {
  describe('batches', () => {
    test.each([
      ['without keys', ''],
      ['of two keys', 'late'],
    ])('%s share each thousand of settles evenly, though one came later', async (_of, owner) => {
      await using house = await openHouse(engine);
      const early = await house.submitMany(1_600);
      await settleSome(house, 400, new Map());
      const late = await house.submitMany(1_200, { owner });
      const order = await settleSome(house, 2_200, named(['early', early], ['late', late]));
      const shares = sharesOf('late', order);
      expect(shares.length).toBeGreaterThan(20);
      expect(Math.min(...shares)).toBeGreaterThanOrEqual(0.4);
      expect(Math.max(...shares)).toBeLessThanOrEqual(0.6);
    });

    test('that are retried begin where the lane is, and not where they ended', async () => {
      await using house = await openHouse(engine);
      const old = await house.submitMany(300);
      await settleSome(house, 300, new Map());
      const fresh = await house.submitMany(200);
      await retryBatch(house.app, old.id, {});
      expect(await doChore(house)).toBe('retry');
      const order = await settleSome(house, 100, named(['old', old], ['fresh', fresh]));
      expect(order.filter((name) => name === 'old').length).toBeGreaterThanOrEqual(40);
      expect(order.filter((name) => name === 'fresh').length).toBeGreaterThanOrEqual(40);
    });

    test('begin where the lane is, also when what was there before is still at work', async () => {
      await using house = await openHouse(engine);
      const before = await house.submitMany(200, { owner: 'one' });
      await house.claimAs(newId(), 200, [1, 1]);
      const other = await house.submitMany(200, { owner: 'two' });
      const after = await house.submitMany(200, { owner: 'one' });
      const order = await settleSome(house, 100, named(['before', before], ['other', other], ['after', after]));
      expect(order.filter((name) => name === 'after').length).toBeGreaterThanOrEqual(40);
    });
  });

  describe('keys', () => {
    test.each([
      ['the one batch came first', [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]],
      ['the ten batches came first', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0]],
      ['the one batch came between', [1, 2, 3, 4, 5, 0, 6, 7, 8, 9, 10]],
    ])('with one batch and with ten get about the same: %s', async (_how, order) => {
      await using house = await openHouse(engine);
      const names = new Map<string, string>();
      for (const batch of order) {
        const name = batch === 0 ? 'light' : 'heavy';
        names.set((await house.submitMany(batch === 0 ? 1_000 : 160, { owner: name })).id, name);
      }
      const settled = await settleSome(house, 1_600, names);
      const light = sharesOf('light', settled);
      expect(light.length).toBeGreaterThan(10);
      // Neither has twice as much as the other.
      expect(Math.min(...light)).toBeGreaterThanOrEqual(1 / 3);
      expect(Math.max(...light)).toBeLessThanOrEqual(2 / 3);
    });

    test('with one batch goes on with all its batches while another has none', async () => {
      await using house = await openHouse(engine);
      const [first, second] = [
        await house.submitMany(300, { owner: 'one' }),
        await house.submitMany(300, { owner: 'one' }),
      ];
      const order = await settleSome(house, 200, named(['first', first], ['second', second]));
      expect(order.filter((name) => name === 'second').length).toBeGreaterThanOrEqual(60);
    });

    test('that flood the interactive lane keep nobody else waiting', async () => {
      await using house = await openHouse(engine);
      for (let sent = 0; sent < 40; sent += 1) await house.submitMany(1, { owner: 'flood' });
      const person = await house.submitMany(2, { owner: 'person' });
      const order = await settleSome(house, 42, named(['person', person]));
      expect(order.slice(0, 10).filter((name) => name === 'person').length).toBe(2);
    });
  });

  describe('a person', () => {
    /** How many pictures end between the claim of an interactive image, which needs no end, and its start: the most of two. */
    async function endsUntilStart(house: House, queue: Queue): Promise<number> {
      await house.submitMany(10_000);
      await using worker = await openGatedWorker(house, { queue, slots });
      await vi.waitFor(() => expect(worker.begun.length).toBe(slots), patience);
      // The first one comes to a hand that is full of bulk, the second to one from which some have gone.
      const first = await endsUntil(house, worker, 'https://person.example/1.jpg');
      for (let ends = 0; ends < 10; ends += 1) await worker.endOne();
      return Math.max(first, await endsUntil(house, worker, 'https://person.example/2.jpg'));
    }

    async function endsUntil(house: House, worker: GatedWorker, url: string): Promise<number> {
      const { id } = await house.submit([{ source: { url } }]);
      // Taken in hand and fetched though every slot is taken, and nothing ends.
      await vi.waitFor(() => expect(worker.fetched).toContain(url), patience);
      expect(await house.images(id)).toMatchObject([{ state: 'running', lane: 0 }]);
      const before = worker.ended();
      while (!worker.begun.includes(url) && worker.ended() - before < 100) await worker.endOne();
      return worker.ended() - before;
    }

    test('waits for one picture more than there are slots at most, whatever bulk is queued', async () => {
      await using house = await openHouse(engine);
      expect(await endsUntilStart(house, openDatabaseQueue())).toBeLessThanOrEqual(slots + 1);
    });

    test.skipIf(!redisProgram)('waits no longer where tickets come from a broker', async () => {
      await using house = await openHouse(engine);
      const redis = await startRedis();
      const queue = await openQueue({ url: redis.url, instance: newId(), log: silent });
      expect(await endsUntilStart(house, queue)).toBeLessThanOrEqual(slots + 1);
      await queue.close();
      await redis.stop();
    });

    test('finds room in every hand: bulk holds no more than four images a slot where pictures are slow', async () => {
      await using house = await openHouse(engine);
      const batch = await house.submitMany(200);
      await using worker = await openGatedWorker(house, { queue: openDatabaseQueue(), slots });
      await vi.waitFor(() => expect(worker.begun.length).toBe(slots), patience);
      for (let ends = 0; ends < 10; ends += 1) {
        await worker.endOne();
        const running = (await house.images(batch.id)).filter(({ state }) => state === 'running').length;
        // Those that ended gather for half a second before they are written down.
        expect(running - worker.ended()).toBeLessThanOrEqual(4 * slots);
      }
    });
  });
});
