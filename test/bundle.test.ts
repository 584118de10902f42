// Single calls gathered into one: each gets its own answer, and a fault reaches everybody of its bundle and nobody else.

import { expect, test } from 'vitest';
import { bundle } from '../src/batches/bundle.ts';

test('gives each caller its own share of one run', async () => {
  const runs: number[][] = [];
  const doubled = bundle<number, number>(
    async (inputs) => {
      runs.push(inputs);
      return inputs.map((input) => input * 2);
    },
    { ms: 5, most: 100 },
  );
  expect(await Promise.all([1, 2, 3].map(doubled.add))).toEqual([2, 4, 6]);
  expect(runs).toEqual([[1, 2, 3]]);
});

test('runs at once when it is full, and the rest on its time', async () => {
  const sizes: number[] = [];
  const counted = bundle<number, number>(
    async (inputs) => {
      sizes.push(inputs.length);
      return inputs;
    },
    { ms: 20, most: 10 },
  );
  await Promise.all(Array.from({ length: 25 }, (_, n) => counted.add(n)));
  expect(sizes).toEqual([10, 10, 5]);
});

test('tells a fault to all of its bundle, and goes on with the next', async () => {
  let isBroken = true;
  const fragile = bundle<number, number>(
    async (inputs) => {
      if (isBroken) throw new Error('broken');
      return inputs;
    },
    { ms: 1, most: 100 },
  );
  const some = await Promise.allSettled([fragile.add(1), fragile.add(2)]);
  expect(some.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  isBroken = false;
  expect(await fragile.add(3)).toBe(3);
});

test('flushes what has gathered and waits for what is under way', async () => {
  let done = 0;
  const slow = bundle<number, number>(
    async (inputs) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      done += inputs.length;
      return inputs;
    },
    { ms: 60_000, most: 2 },
  );
  const all = [1, 2, 3].map(slow.add);
  await slow.flush();
  expect(done).toBe(3);
  expect(await Promise.all(all)).toEqual([1, 2, 3]);
});
