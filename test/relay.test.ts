// relay.test.ts — tickets: which are sent, when they are lost, and what starts by one. The broker is a list.

import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { cancelBatch } from '../src/batches/change.ts';
import { startImages } from '../src/batches/claim.ts';
import { newId } from '../src/batches/ids.ts';
import { enterWorker } from '../src/batches/reap.ts';
import { dispatchDue, findLostTickets, NotPublished } from '../src/batches/relay.ts';
import { readConfig } from '../src/config.ts';
import { untilAborted, type Queue, type Ticket } from '../src/queue/queue.ts';
import { doChore } from './support/batches.ts';
import { onEachDatabase } from './support/databases.ts';
import { ended, openHouse, retry, type House } from './support/house.ts';

/** A broker that keeps what it is given; nobody consumes. */
function openList() {
  const sent: Ticket[] = [];
  const broken = { publish: false, waiting: false };
  const queue: Queue = {
    carriesTickets: true,
    name: 'list',
    async publish(tickets) {
      if (broken.publish) throw new Error('planted');
      sent.push(...tickets);
    },
    consume: ({ signal }) => untilAborted(signal),
    async waiting(lane) {
      if (broken.waiting) throw new Error('planted');
      return sent.filter((ticket) => ticket.lane === lane).length;
    },
    healthy: async () => ({ ok: true }),
    close: async () => {},
  };
  return { queue, sent, broken };
}

async function openRelay(house: House, env: Record<string, string> = {}) {
  const list = openList();
  const app = { ...house.app, queue: list.queue, config: readConfig(env).config };
  const worker = newId();
  await enterWorker(app, { id: worker, version: 'test', slots: 2 });
  return { ...list, app, worker };
}

const states = async (house: House, batch: string) => (await house.images(batch)).map(({ state }) => state);
const many = (count: number, state: string) => Array.from({ length: count }, () => state);
const age = ({ app }: House, seconds: number) =>
  sql`update images set dispatched_at = now() - ${seconds} * interval '1 s' where state = 'dispatched'`.execute(
    app.db.query,
  );

onEachDatabase((engine) => {
  describe('the window', () => {
    test('lets the first images of a lane through, in order, and more when some have started', async () => {
      await using house = await openHouse(engine);
      const { app, sent, worker } = await openRelay(house);
      const { id } = await house.submitMany(30);
      expect(await dispatchDue(app)).toBe(16);
      const images = await house.images(id);
      expect(sent).toEqual(images.slice(0, 16).map((image) => ({ id: image.id, lane: 1 })));
      expect(await states(house, id)).toEqual([...many(16, 'dispatched'), ...many(14, 'queued')]);
      expect(await dispatchDue(app)).toBe(0);
      await startImages(app, { worker, ids: sent.slice(0, 5).map((ticket) => ticket.id), known: new Map() });
      expect(await dispatchDue(app)).toBe(5);
      expect(sent.slice(16)).toEqual(images.slice(16, 21).map((image) => ({ id: image.id, lane: 1 })));
    });

    test('grows with the slots that are alive, up to the setting', async () => {
      await using house = await openHouse(engine);
      const { app, worker } = await openRelay(house, { DARKROOM_QUEUE_WINDOW: '25' });
      await house.submitMany(60);
      await enterWorker(app, { id: newId(), version: 'test', slots: 3 });
      expect(await dispatchDue(app)).toBe(20);
      await enterWorker(app, { id: newId(), version: 'test', slots: 30 });
      expect(await dispatchDue(app)).toBe(5);
      await house.forget(worker);
      expect(await dispatchDue(app)).toBe(0);
    });

    test('keeps the lanes apart, and sends one suspect for each worker', async () => {
      await using house = await openHouse(engine);
      const { app, sent } = await openRelay(house);
      await house.submitMany(30);
      await house.submitMany(2);
      const { id } = await house.submitMany(4);
      await sql`update images set lane = 2 where batch_id = ${id}`.execute(app.db.query);
      await dispatchDue(app);
      expect([0, 1, 2].map((lane) => sent.filter((ticket) => ticket.lane === lane).length)).toEqual([2, 16, 1]);
    });

    test('lets nothing through that waits for its next try', async () => {
      await using house = await openHouse(engine);
      const { app, worker } = await openRelay(house);
      await house.submitMany(1);
      const [item] = await house.claimAs(worker);
      await house.settleAs(worker, [ended(item!, retry('timeout', 60_000))]);
      expect(await dispatchDue(app)).toBe(0);
    });
  });

  test('what the broker does not confirm is due in the database again', async () => {
    await using house = await openHouse(engine);
    const { app, broken } = await openRelay(house);
    const { id } = await house.submitMany(3);
    broken.publish = true;
    await expect(dispatchDue(app)).rejects.toThrow(NotPublished);
    expect(await states(house, id)).toEqual(many(3, 'queued'));
    broken.publish = false;
    expect(await dispatchDue(app)).toBe(3);
  });

  describe('a ticket', () => {
    test('starts its image once, however often it comes', async () => {
      await using house = await openHouse(engine);
      const { app, sent, worker } = await openRelay(house);
      const { id } = await house.submitMany(1);
      await dispatchDue(app);
      const ids = sent.map((ticket) => ticket.id);
      expect(await startImages(app, { worker, ids: [...ids, ...ids], known: new Map() })).toHaveLength(1);
      expect(await startImages(app, { worker, ids, known: new Map() })).toEqual([]);
      expect(await house.image(ids[0]!)).toMatchObject({ state: 'running', attempts: 1, worker });
      expect(await house.batch(id)).toMatchObject({ state: 'running' });
    });

    test('does not cut short the wait for the next try', async () => {
      await using house = await openHouse(engine);
      const { app, worker } = await openRelay(house);
      await house.submitMany(1);
      const [item] = await house.claimAs(worker);
      await house.settleAs(worker, [ended(item!, retry('timeout', 60_000))]);
      expect(await startImages(app, { worker, ids: [item!.id], known: new Map() })).toEqual([]);
    });

    test('of a canceled image starts nothing', async () => {
      await using house = await openHouse(engine);
      const { app, sent, worker } = await openRelay(house);
      const { id } = await house.submitMany(2);
      await dispatchDue(app);
      await cancelBatch(app, id);
      await doChore(house);
      expect(await states(house, id)).toEqual(many(2, 'canceled'));
      expect(await startImages(app, { worker, ids: sent.map((each) => each.id), known: new Map() })).toEqual([]);
      expect(await house.batch(id)).toMatchObject({ state: 'canceled', counts: { canceled: 2 } });
    });
  });

  describe('a lost ticket', () => {
    test('is found after five seconds when its lane is empty at the broker', async () => {
      await using house = await openHouse(engine);
      const { app, sent } = await openRelay(house);
      const { id } = await house.submitMany(2);
      await dispatchDue(app);
      sent.length = 0;
      await age(house, 4);
      expect(await findLostTickets(app)).toBe(0);
      await age(house, 6);
      expect(await findLostTickets(app)).toBe(2);
      expect(await states(house, id)).toEqual(many(2, 'queued'));
    });

    test('is found after a minute while others of its lane wait', async () => {
      await using house = await openHouse(engine);
      const { app } = await openRelay(house);
      await house.submitMany(2);
      await dispatchDue(app);
      await age(house, 50);
      expect(await findLostTickets(app)).toBe(0);
      await age(house, 70);
      expect(await findLostTickets(app)).toBe(2);
    });

    test('is found while the broker cannot be asked', async () => {
      await using house = await openHouse(engine);
      const { app, broken } = await openRelay(house);
      await house.submitMany(2);
      await dispatchDue(app);
      broken.waiting = true;
      await age(house, 6);
      expect(await findLostTickets(app)).toBe(2);
    });
  });
});
