// queue.ts — what every queue driver must do: the promises of src/queue/queue.ts, one by one.
//
// A queue that carries no tickets keeps them trivially; those about tickets run only where there are tickets.

import { randomBytes, randomUUID } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openQueue } from '../../src/queue/index.ts';
import type { Lane, Queue, Ticket } from '../../src/queue/queue.ts';
import { startConsumer } from '../support/consumer-process.ts';
import { silent } from '../support/databases.ts';
import type { Broker } from '../support/redis.ts';

const patience = { timeout: 40_000, interval: 20 };

/** `open` gives an empty queue each time. */
export function queueSuite(open: () => Promise<Queue>, carriesTickets: boolean): void {
  let queue: Queue;
  let stop: AbortController;
  beforeEach(async () => {
    queue = await open();
    stop = new AbortController();
    await vi.waitFor(async () => expect(await queue.healthy()).toEqual({ ok: true }), patience);
  });
  afterEach(async () => {
    stop.abort();
    await queue.close();
  });

  const tickets = (count: number): Ticket[] => Array.from({ length: count }, () => ({ id: randomUUID(), lane: 1 }));
  const counts = (lane: Lane, count: number) =>
    vi.waitFor(async () => expect(await queue.waiting(lane)).toBe(count), patience);
  const consume = (handle: (ticket: Ticket) => Promise<void>, limit = 10) =>
    queue.consume({ lane: 1, limit, signal: stop.signal }, handle);

  test('says whether it carries tickets, and is well', async () => {
    expect(queue.carriesTickets).toBe(carriesTickets);
    expect(await queue.healthy()).toEqual({ ok: true });
    expect(await queue.waiting(1)).toBe(0);
  });

  test('takes no tickets at all without complaint', async () => {
    await expect(queue.publish([])).resolves.toBeUndefined();
  });

  test('consumes until it is told to stop', async () => {
    let ended = false;
    const consuming = consume(async () => {}).then(() => (ended = true));
    await turn();
    expect(ended).toBe(false);
    stop.abort();
    await consuming;
    await consume(async () => {}); // told before it began
  });

  if (!carriesTickets) return;

  test('hands out each ticket once, to whichever of two consumers', async () => {
    const sent = tickets(50);
    const got: string[] = [];
    const consuming = Promise.all([1, 2].map(() => consume(async ({ id }) => void got.push(id))));
    await queue.publish(sent);
    await vi.waitFor(() => expect(got.toSorted()).toEqual(sent.map(({ id }) => id).toSorted()), patience);
    stop.abort();
    await consuming;
    expect(await queue.waiting(1)).toBe(0);
  });

  test('keeps the lanes apart', async () => {
    const [one, two, three] = [randomUUID(), randomUUID(), randomUUID()];
    await queue.publish([
      { id: one, lane: 0 },
      { id: two, lane: 1 },
      { id: three, lane: 2 },
    ]);
    const got: Ticket[] = [];
    const consuming = queue.consume({ lane: 0, limit: 10, signal: stop.signal }, async (it) => void got.push(it));
    await vi.waitFor(() => expect(got).toEqual([{ id: one, lane: 0 }]), patience);
    await counts(2, 1);
    expect(await queue.waiting(1)).toBe(1);
    stop.abort();
    await consuming;
    expect(got).toHaveLength(1);
  });

  test('acknowledges a ticket whose handling failed: it does not come back', async () => {
    const got: string[] = [];
    const [bad, good] = [randomUUID(), randomUUID()];
    const consuming = consume(async ({ id }) => {
      got.push(id);
      if (id === bad) throw new Error('planted');
    }, 1);
    await queue.publish([
      { id: bad, lane: 1 },
      { id: good, lane: 1 },
    ]);
    await vi.waitFor(() => expect(got).toEqual([bad, good]), patience);
    stop.abort();
    await consuming;
    await counts(1, 0);
    const later = new AbortController();
    const last = randomUUID();
    const seen: string[] = [];
    const again = queue.consume({ lane: 1, limit: 10, signal: later.signal }, async ({ id }) => void seen.push(id));
    await queue.publish([{ id: last, lane: 1 }]);
    await vi.waitFor(() => expect(seen).toContain(last), patience);
    later.abort();
    await again;
    expect(seen).toEqual([last]);
  });

  test('takes the same ticket twice without complaint, and hands it out as often', async () => {
    const id = randomUUID();
    const got: string[] = [];
    await queue.publish([{ id, lane: 1 }]);
    await queue.publish([{ id, lane: 1 }]);
    await counts(1, 2);
    const consuming = consume(async (ticket) => void got.push(ticket.id));
    await vi.waitFor(() => expect(got).toEqual([id, id]), patience);
    stop.abort();
    await consuming;
  });

  test('has no more than the limit in hand, and finishes those when it is told to stop', async () => {
    const gate = Promise.withResolvers<void>();
    let inHand = 0;
    let done = 0;
    const consuming = consume(async () => {
      inHand += 1;
      await gate.promise;
      done += 1;
    }, 3);
    await queue.publish(tickets(10));
    await vi.waitFor(() => expect(inHand).toBe(3), patience);
    await counts(1, 7);
    stop.abort();
    gate.resolve();
    await consuming;
    expect([inHand, done]).toEqual([3, 3]);
    await counts(1, 7);
  });
}

/** What a broker must do beyond the suite: survive the death of a consumer, and its own. `give` tells where it runs. */
export function brokerSuite(give: () => Broker): void {
  const instance = () => randomBytes(6).toString('hex');
  const ticket = (): Ticket => ({ id: randomUUID(), lane: 1 });

  test('hands out again what a killed consumer held', async () => {
    const options = { url: give().url, instance: instance(), log: silent, silentMs: 2_000 };
    const queue = await openQueue(options);
    const stop = new AbortController();
    const [one, two] = [ticket(), ticket()];
    await using victim = await startConsumer(options);
    await publishSoon(queue, [one, two]);
    await vi.waitFor(() => expect(victim.said()).toEqual(expect.arrayContaining([one.id, two.id])), patience);
    await victim.kill();
    const got: string[] = [];
    const consuming = queue.consume({ lane: 1, limit: 10, signal: stop.signal }, async ({ id }) => void got.push(id));
    await vi.waitFor(() => expect(got).toEqual(expect.arrayContaining([one.id, two.id])), patience);
    stop.abort();
    await consuming;
    await queue.close();
  });

  test('two deployments on one broker never meet', async () => {
    const queues = await Promise.all(
      [1, 2].map(() => openQueue({ url: give().url, instance: instance(), log: silent })),
    );
    const [first, second] = queues as [Queue, Queue];
    await publishSoon(first, [ticket()]);
    await vi.waitFor(async () => expect([await first.waiting(1), await second.waiting(1)]).toEqual([1, 0]), patience);
    await Promise.all(queues.map((queue) => queue.close()));
  });

  test('publishes and consumes again after its server was killed and came back, and says meanwhile that it is away', async () => {
    const queue = await openQueue({ url: give().url, instance: instance(), log: silent });
    const stop = new AbortController();
    const got: string[] = [];
    const consuming = queue.consume({ lane: 1, limit: 10, signal: stop.signal }, async ({ id }) => void got.push(id));
    const before = ticket();
    await publishSoon(queue, [before]);
    await vi.waitFor(() => expect(got).toContain(before.id), patience);
    await give().kill();
    await vi.waitFor(async () => expect(await queue.healthy()).toMatchObject({ ok: false }), patience);
    await expect(queue.publish([ticket()])).rejects.toThrow('cannot be reached');
    await expect(queue.waiting(1)).rejects.toThrow('cannot be reached');
    await give().start();
    await vi.waitFor(async () => expect(await queue.healthy()).toEqual({ ok: true }), patience);
    const after = ticket();
    await publishSoon(queue, [after]);
    await vi.waitFor(() => expect(got).toContain(after.id), patience);
    stop.abort();
    await consuming;
    await queue.close();
  });

  test('stops, closes and opens while its server is away, and works once it is there', async () => {
    const old = await openQueue({ url: give().url, instance: instance(), log: silent });
    const stop = new AbortController();
    const consuming = old.consume({ lane: 1, limit: 10, signal: stop.signal }, async () => {});
    await vi.waitFor(async () => expect(await old.healthy()).toEqual({ ok: true }), patience);
    await give().kill();
    await vi.waitFor(async () => expect(await old.healthy()).toMatchObject({ ok: false }), patience);
    stop.abort();
    await consuming;
    await old.close();

    const queue = await openQueue({ url: give().url, instance: instance(), log: silent });
    expect(await queue.healthy()).toMatchObject({ ok: false });
    const later = new AbortController();
    const got: string[] = [];
    const again = queue.consume({ lane: 1, limit: 10, signal: later.signal }, async ({ id }) => void got.push(id));
    await give().start();
    const sent = ticket();
    await publishSoon(queue, [sent]);
    await vi.waitFor(() => expect(got).toEqual([sent.id]), patience);
    later.abort();
    await again;
    await queue.close();
  });
}

/** A broker is connected to in the background. */
function publishSoon(queue: Queue, tickets: Ticket[]): Promise<void> {
  return vi.waitFor(() => queue.publish(tickets), patience);
}
