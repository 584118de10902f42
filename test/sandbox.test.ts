import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startClock } from '../src/imaging/clock.ts';
import { photo, sharpOf } from './support/pictures-made.ts';
import { misbehaving, openStudio } from './support/pictures-sandbox.ts';

const linux = process.platform === 'linux';
let large: Buffer;
let small: Buffer;

beforeAll(async () => {
  large = await sharpOf(photo(2000, 1500)).jpeg({ quality: 90 }).toBuffer();
  small = await sharpOf(photo(20, 10)).png().toBuffer();
});

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

async function until(holds: () => boolean): Promise<void> {
  const end = performance.now() + 20_000;
  while (!holds()) {
    if (performance.now() > end) throw new Error('not so after 20 s');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe('a real child', () => {
  let studio: Awaited<ReturnType<typeof openStudio>>;
  beforeAll(async () => {
    studio = await openStudio();
  });
  afterAll(() => studio.sandbox.close());

  test('killed in the middle, the image runs again in a fresh one', async () => {
    const running = studio.render(large, 'webp:effort=4');
    await until(() => studio.sandbox.children().some(({ busy, done }) => busy && done > 0));
    const [{ pid } = { pid: 0 }] = studio.sandbox.children();
    process.kill(pid, 'SIGKILL');
    expect((await running).format).toBe('webp');
    expect(studio.sandbox.children()[0]?.pid).not.toBe(pid);
  });

  test('killed while idle, the next image does not notice', async () => {
    await studio.render(small);
    const [{ pid } = { pid: 0 }] = studio.sandbox.children();
    process.kill(pid, 'SIGKILL');
    expect((await studio.render(small)).format).toBe('png');
  });

  test('aborting kills it, throws the reason, and the next image works', async () => {
    await studio.render(small);
    const [{ pid, done: before } = { pid: 0, done: 0 }] = studio.sandbox.children();
    const stop = new AbortController();
    const running = studio.render(large, 'webp:effort=4', stop.signal);
    await until(() => studio.sandbox.children().some(({ done }) => done > before));
    stop.abort(new Error('drained'));
    await expect(running).rejects.toThrow('drained');
    await until(() => !isAlive(pid));
    expect((await studio.render(small)).width).toBe(20);
  });

  test('an image that still waits for its turn can be aborted', async () => {
    const stop = new AbortController();
    const first = studio.render(large, 'webp');
    const second = studio.render(small, [], stop.signal);
    stop.abort(new Error('not any more'));
    await expect(second).rejects.toThrow('not any more');
    expect((await first).format).toBe('webp');
  });

  test.skipIf(!linux)('leaves no zombie and no open file behind', async () => {
    await studio.render(small);
    const files = () => readdirSync('/proc/self/fd').length;
    const before = files();
    for (let i = 0; i < 3; i++) {
      process.kill(studio.sandbox.children()[0]!.pid, 'SIGKILL');
      await studio.render(small);
    }
    await until(() => files() <= before);
    expect(zombiesOf(process.pid)).toEqual([]);
  });

  test('of a picture too large for the limits no pixel is decoded, and the child goes on', async () => {
    const [{ pid } = { pid: 0 }] = studio.sandbox.children();
    const wide = await sharpOf(photo(17_000, 1)).png().toBuffer();
    await expect(studio.render(wide)).rejects.toMatchObject({ code: 'side_too_long', facts: {} });
    expect(studio.sandbox.children()[0]?.pid).toBe(pid);
  });
});

describe('a child', () => {
  test.each([
    { images: 200, side: 1000, of: 'a megapixel' },
    { images: 2000, side: 1, of: 'one pixel' },
  ])('is replaced after $images images of $of, and no image waits or fails for it', async ({ images, side }) => {
    await using own = await openStudio();
    const picture = await sharpOf(photo(side, side)).png({ compressionLevel: 1 }).toBuffer();
    const childOf = () => own.sandbox.children()[0] ?? { pid: 0, done: 0 };
    const first = childOf().pid;
    for (let i = 0; i < images - 1; i++) await own.render(picture, 'jpeg');
    await wait(300);
    expect(childOf()).toMatchObject({ pid: first, done: images - 1 });
    const seen = new Set<number>();
    while (isAlive(first)) {
      expect((await own.render(picture, 'jpeg')).width).toBe(side);
      seen.add(childOf().pid);
    }
    expect(seen.size).toBe(2);
  });
});

test('time that ran out while we stood still begins anew, and then ends as usual', async () => {
  const late: string[] = [];
  const clock = startClock({ stageMs: 200, totalMs: 5000 }, (what) => late.push(what));
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2300);
  await wait(50);
  expect(late).toEqual([]);
  await until(() => late.length > 0);
  expect(late).toEqual(['one stage']);
  clock.stop();
});

describe('the pool', () => {
  test('works on as many images as it has slots, and closes all of them', async () => {
    const studio = await openStudio({ slots: 2, megapixels: 1 });
    const both = await Promise.all([studio.render(large, 'fit:100x'), studio.render(large, 'fit:50x')]);
    expect(both.map(({ width }) => width)).toEqual([100, 50]);
    const pids = studio.sandbox.children().map(({ pid }) => pid);
    expect(pids).toHaveLength(2);
    await studio.sandbox.close();
    expect(pids.filter(isAlive)).toEqual([]);
    expect(await studio.codeOf(small)).toBe('sandbox_unavailable');
  });

  test('says when children do not start, and refuses images instead of losing them', async () => {
    await using studio = await openStudio({ childScript: misbehaving('stillborn') });
    expect(await studio.codeOf(small)).toBe('sandbox_unavailable');
    expect(studio.sandbox.healthy()).toMatchObject({ ok: false });
  });

  test('an image whose child takes long to start can be aborted', async () => {
    await using studio = await openStudio({ childScript: misbehaving('late'), lazy: true });
    const stop = new AbortController();
    const waiting = studio.render(small, [], stop.signal);
    await wait(200);
    stop.abort(new Error('drained'));
    await expect(waiting).rejects.toThrow('drained');
  });

  test('starts nothing before the first image when asked to', async () => {
    await using studio = await openStudio({ lazy: true });
    expect(studio.sandbox.children()).toEqual([]);
    expect((await studio.render(small)).width).toBe(20);
  });
});

/** Children of a process that ended and were not waited for. */
function zombiesOf(parent: number): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const [state, ppid] = readFileSync(`/proc/${name}/stat`, 'latin1')
          .replace(/^.*\) /s, '')
          .split(' ');
        return state === 'Z' && Number(ppid) === parent;
      } catch {
        return false;
      }
    });
}
