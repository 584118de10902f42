// Places for decoding and for downloads: who comes first, how much is held, and what a stop leaves behind.

import { describe, expect, test } from 'vitest';
import { openDownloads } from '../src/batches/downloads.ts';
import { openBell } from '../src/batches/loops.ts';
import { openSlots } from '../src/batches/slots.ts';
import type { SourceBytes } from '../src/batches/source.ts';
import { never } from './support/batches.ts';

const MB = 1024 ** 2;
const body = (bytes: number): SourceBytes => ({ chunks: [], bytes, sha256: Buffer.alloc(32) });
const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

describe('slots', () => {
  test('go to the lower lane first, then to the larger picture', async () => {
    const slots = openSlots(1);
    const leave = await slots.enter({ lane: 1, bytes: 1 }, never);
    const order: string[] = [];
    const asks = [
      { name: 'small bulk', lane: 1, bytes: 1 },
      { name: 'large bulk', lane: 1, bytes: 9 },
      { name: 'suspect', lane: 2, bytes: 99 },
      { name: 'person', lane: 0, bytes: 2 },
    ].map(async ({ name, ...rank }) => {
      const done = await slots.enter(rank, never);
      order.push(name);
      done();
    });
    leave();
    await Promise.all(asks);
    expect(order).toEqual(['person', 'large bulk', 'small bulk', 'suspect']);
    expect(slots.busy).toBe(0);
  });

  test('are never taken by more than there are', async () => {
    const slots = openSlots(2);
    let most = 0;
    const work = async () => {
      const leave = await slots.enter({ lane: 1, bytes: 1 }, never);
      most = Math.max(most, slots.busy);
      await settled();
      leave();
    };
    await Promise.all(Array.from({ length: 12 }, work));
    expect(most).toBe(2);
  });

  test('are not waited for after a stop, and those in one are left alone', async () => {
    const slots = openSlots(1);
    const stop = new AbortController();
    const leave = await slots.enter({ lane: 1, bytes: 1 }, stop.signal);
    const waiting = slots.enter({ lane: 1, bytes: 1 }, stop.signal);
    stop.abort();
    await expect(waiting).rejects.toThrow('aborted');
    await expect(slots.enter({ lane: 1, bytes: 1 }, stop.signal)).rejects.toThrow('aborted');
    expect(slots.busy).toBe(1);
    leave();
    expect(slots.busy).toBe(0);
  });
});

describe('downloads', () => {
  test('hold no more bytes for waiting slots than the budget, though each alone may be larger', async () => {
    const downloads = openDownloads({ most: 1, cores: 1 });
    const place = { lane: 1, signal: never };
    const first = await downloads.run(async () => body(500 * MB), place);
    let started = 0;
    const next = Array.from({ length: 5 }, () =>
      downloads.run(async () => {
        started += 1;
        return body(40 * MB);
      }, place),
    );
    await settled();
    expect(started).toBe(0);
    first.free();
    await settled();
    // 64 MB: two of 40 fill it.
    expect(started).toBe(2);
    for (const each of next) (await each).free();
    expect(started).toBe(5);
  });

  test('of a person do not wait behind those of a batch', async () => {
    const downloads = openDownloads({ most: 2, cores: 1 });
    const slow = Promise.withResolvers<SourceBytes>();
    const bulk = Array.from({ length: 10 }, () => downloads.run(() => slow.promise, { lane: 1, signal: never }));
    const { source, free } = await downloads.run(async () => body(7), { lane: 0, signal: never });
    expect(source.bytes).toBe(7);
    free();
    slow.resolve(body(1));
    await Promise.all(bulk);
  });

  test('that fail give their place back', async () => {
    const downloads = openDownloads({ most: 1, cores: 1 });
    const place = { lane: 1, signal: never };
    for (let n = 0; n < 5; n += 1)
      await expect(downloads.run(() => Promise.reject(new Error('reset')), place)).rejects.toThrow('reset');
    expect((await downloads.run(async () => body(1), place)).source.bytes).toBe(1);
  });

  test('that wait are given up at a stop', async () => {
    const downloads = openDownloads({ most: 1, cores: 1 });
    const stop = new AbortController();
    const slow = Promise.withResolvers<SourceBytes>();
    const running = downloads.run(() => slow.promise, { lane: 1, signal: stop.signal });
    const waiting = downloads.run(async () => body(1), { lane: 1, signal: stop.signal });
    stop.abort();
    await expect(waiting).rejects.toThrow('aborted');
    slow.resolve(body(1));
    await running;
  });
});

describe('the bell', () => {
  test('leaves no listener behind on the signal that lives as long as the worker', async () => {
    const bell = openBell();
    const signal = new AbortController().signal;
    let listeners = 0;
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
    Object.assign(signal, {
      addEventListener: (...all: Parameters<typeof add>) => ((listeners += 1), add(...all)),
      removeEventListener: (...all: Parameters<typeof remove>) => ((listeners -= 1), remove(...all)),
    });
    for (let n = 0; n < 50; n += 1) await bell.wait(0, signal);
    expect(listeners).toBe(0);
  });

  test('remembers a ring that came while nobody waited', async () => {
    const bell = openBell();
    bell.ring();
    const began = performance.now();
    await bell.wait(5_000, never);
    expect(performance.now() - began).toBeLessThan(1_000);
  });
});
