// How every process hears which batches changed.

import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { expect, test, vi } from 'vitest';
import { openEvents, tellBatches } from '../src/notify/events.ts';
import { onEachDatabase, openTestDatabase, silent, type EngineName } from './support/databases.ts';

const patience = { timeout: 10_000, interval: 20 };

async function openListening(engine: EngineName) {
  const db = await openTestDatabase(engine);
  const events = await openEvents(db, silent);
  const heard: string[][] = [];
  events.subscribe((batchIds) => heard.push(batchIds));
  return {
    db,
    events,
    heard,
    tell: (ids: string[]) => db.transaction((tx) => tellBatches(tx, ids)),
    async [Symbol.asyncDispose]() {
      await events.close();
      await db.close();
    },
  };
}

onEachDatabase((engine) => {
  test('subscribers hear the ids that a committed transaction told, each once', async () => {
    await using house = await openListening(engine);
    const [one, two] = [randomUUID(), randomUUID()];
    await house.tell([one, two, one]);
    await vi.waitFor(() => expect(house.heard).toEqual([[one, two]]), patience);
  });

  test('nothing is told when the transaction rolls back, or when there is nothing to tell', async () => {
    await using house = await openListening(engine);
    const undone = house.db.transaction(async (tx) => {
      await tellBatches(tx, [randomUUID()]);
      throw new Error('undone');
    });
    await expect(undone).rejects.toThrow('undone');
    await house.tell([]);
    const last = randomUUID();
    await house.tell([last]);
    await vi.waitFor(() => expect(house.heard).toEqual([[last]]), patience);
  });

  test('more than a hundred ids shrink to "anything may have changed", and a hundred still fit', async () => {
    await using house = await openListening(engine);
    const hundred = Array.from({ length: 100 }, () => randomUUID());
    await house.tell(hundred);
    await house.tell([...hundred, randomUUID()]);
    await vi.waitFor(() => expect(house.heard).toEqual([hundred, []]), patience);
  });

  test('waiting ends with true for the batch that changed, and not for another', async () => {
    await using house = await openListening(engine);
    const [mine, other] = [randomUUID(), randomUUID()];
    const waiting = house.events.wait(mine, 10_000);
    const twin = house.events.wait(mine, 10_000);
    const foreign = house.events.wait(other, 10_000);
    await house.tell([mine]);
    expect(await waiting).toBe(true);
    expect(await twin).toBe(true);
    await house.events.close();
    expect(await foreign).toBe(false);
  });

  test('a notification without ids, or one nobody can read, wakes all who wait', async () => {
    await using house = await openListening(engine);
    const woken: string[] = [];
    const payloads = ['[]', 'by hand', '{"a":1}', '[1]', ''];
    for (const payload of payloads) {
      const waiting = house.events.wait(randomUUID(), 5000);
      await sql`select pg_notify('events', ${payload})`.execute(house.db.query);
      if (await waiting) woken.push(payload);
    }
    expect(woken).toEqual(payloads);
  });

  test('waiting ends with false after its time, at an abort, and at once if it was aborted before', async () => {
    await using house = await openListening(engine);
    expect(await house.events.wait(randomUUID(), 10)).toBe(false);
    expect(await house.events.wait(randomUUID(), 10_000, AbortSignal.abort())).toBe(false);
    const stopping = new AbortController();
    const waiting = house.events.wait(randomUUID(), 10_000, stopping.signal);
    stopping.abort();
    expect(await waiting).toBe(false);
  });

  test('who has unsubscribed hears no more, and a listener that throws keeps the news from nobody', async () => {
    await using house = await openListening(engine);
    const gone = vi.fn<(ids: string[]) => void>();
    const last = vi.fn<(ids: string[]) => void>();
    house.events.subscribe(() => {
      throw new Error('a fault of this listener');
    });
    const leave = house.events.subscribe(gone);
    house.events.subscribe(last);
    leave();
    await house.tell([randomUUID()]);
    await vi.waitFor(() => expect(last).toHaveBeenCalledOnce(), patience);
    expect(gone).not.toHaveBeenCalled();
  });
});
