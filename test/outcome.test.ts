// What a fault means for an image: the picture's and the host's cost a try, those of our own house never do.

import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { newId } from '../src/batches/ids.ts';
import { faultOfStorage, isHouseFault, outcomeOf, Parked } from '../src/batches/outcome.ts';
import { submitBatch } from '../src/batches/submit.ts';
import { openSettling } from '../src/batches/settling.ts';
import { bringSource } from '../src/batches/source.ts';
import { storeRenditions } from '../src/batches/store.ts';
import type { App } from '../src/app.ts';
import { readConfig } from '../src/config.ts';
import { problem } from '../src/problem.ts';
import { start } from '../src/start.ts';
import type { Storage } from '../src/storage/storage.ts';
import { never } from './support/batches.ts';
import { onEachDatabase, seedDataDir, silent } from './support/databases.ts';
import { openGallery } from './support/gallery.ts';
import { compress, ended, failure, openHouse, retry, success } from './support/house.ts';

const errno = (code: string) => Object.assign(new Error(code), { code });

describe('a fault', () => {
  test('of the picture ends it at once', () => {
    expect(outcomeOf(problem('corrupt_image'), 1)).toEqual({ kind: 'failed', code: 'corrupt_image' });
  });

  test('that may pass waits longer each time, spread by a fifth', () => {
    const waits = [1, 2, 3, 4, 9].map((tries) =>
      [0, 0.5, 1].map((random) => outcomeOf(problem('timeout'), tries, random)),
    );
    expect(waits.map((some) => some.map((each) => 'waitMs' in each && Math.round(each.waitMs)))).toEqual([
      [800, 1_000, 1_200],
      [4_000, 5_000, 6_000],
      [24_000, 30_000, 36_000],
      [96_000, 120_000, 144_000],
      [96_000, 120_000, 144_000],
    ]);
  });

  test('with a Retry-After waits for that, if it is longer', () => {
    const asked = (retryAfterMs: number) =>
      outcomeOf(problem('rate_limited', {}, { retryAfterMs, host: 'a.example' }), 1, 0.5);
    expect(asked(90_000)).toMatchObject({ kind: 'retry', waitMs: 90_000, host: 'a.example' });
    expect(asked(10)).toMatchObject({ kind: 'retry', waitMs: 1_000 });
  });

  test('of our own house gives the try back', () => {
    const house = [
      ...(['storage_full', 'sandbox_unavailable', 'unavailable', 'overloaded'] as const).map((code) => problem(code)),
      ...['EMFILE', 'ENFILE', 'ENOMEM', 'ENOSPC', 'EDQUOT', 'EROFS', 'EIO'].map(errno),
      faultOfStorage(errno('ECONNREFUSED')),
      AbortSignal.abort().reason,
    ];
    expect(house.map((thrown) => outcomeOf(thrown, 1))).toEqual(house.map(() => ({ kind: 'release' })));
    expect(isHouseFault(errno('ECONNRESET'))).toBe(false);
  });

  test('that is a pause of the host parks the image', () => {
    expect(outcomeOf(new Parked('a.example', 7_000), 3)).toEqual({ kind: 'park', waitMs: 7_000, host: 'a.example' });
  });

  test('that nobody foresaw is tried again', () => {
    expect(outcomeOf(new TypeError('x is not a function'), 1)).toMatchObject({ kind: 'retry', code: 'internal' });
  });
});

onEachDatabase((engine) => {
  describe('storage', () => {
    const broken = (thrown: Error): Partial<Storage> => ({
      put: () => Promise.reject(thrown),
      open: () => Promise.reject(thrown),
    });

    test('that does not answer is no fault of the picture, neither before nor after its work', async () => {
      await using house = await openHouse(engine);
      const worker = newId();
      await house.submitMany(1);
      const [item] = await house.claimAs(worker);
      const app = {
        ...house.app,
        storage: { ...house.app.storage, ...broken(errno('ECONNREFUSED')) },
      } as unknown as App;
      const read = await bringSource(app, { ...item!, source: { upload: 'abc.jpg' } }, never).catch(
        (error: unknown) => error,
      );
      expect(outcomeOf(read, 1)).toEqual({ kind: 'release' });
      const rendered = {
        name: 'default',
        extension: 'jpg',
        mediaType: 'image/jpeg',
        body: [Buffer.from('x')],
        warnings: [],
      };
      const store = storeRenditions(app, item!, [rendered as never], Buffer.alloc(32)).catch((error: unknown) => error);
      expect(outcomeOf(await store, 1)).toEqual({ kind: 'release' });
    });

    test('without the source says that it expired', async () => {
      await using house = await openHouse(engine);
      await house.submitMany(1);
      const [item] = await house.claimAs(newId());
      const app = house.app as unknown as App;
      const missing = { ...item!, source: { upload: 'aaaaaaaaaaaaaaaaaaaaaaaaaa.jpg' } };
      await expect(bringSource(app, missing, never)).rejects.toMatchObject({ code: 'expired' });
    });
  });

  describe('settling', () => {
    const life = (worker: string) => ({ worker, dead: never, leaving: never });

    test('takes the result of an image that has waited for a month', async () => {
      await using house = await openHouse(engine);
      const worker = newId();
      await house.submitMany(1);
      const [item] = await house.claimAs(worker);
      const outcome = success();
      if (outcome.kind === 'succeeded') outcome.timings.waiting = 30 * 86_400_000;
      await house.settleAs(worker, [ended(item!, outcome)]);
      expect(await house.image(item!.id)).toMatchObject({ state: 'succeeded', timings: [2 ** 31 - 1, 2, 3, 4, 5, 6] });
    });

    test('lets a result that the database refuses fail alone, and not its whole bundle', async () => {
      await using house = await openHouse(engine);
      const worker = newId();
      const batch = await house.submitMany(3);
      const [one, bad, three] = await house.claimAs(worker);
      const settling = openSettling(house.app, life(worker));
      const poison = success();
      if (poison.kind === 'succeeded') poison.warnings = ['a\0b'];
      const all = [settling.settle(one!, success()), settling.settle(bad!, poison), settling.settle(three!, success())];
      await Promise.all(all);
      expect(await house.batch(batch.id)).toMatchObject({
        state: 'partially_succeeded',
        counts: { succeeded: 2, failed: 1 },
      });
      expect(await house.image(bad!.id)).toMatchObject({ error_code: 'internal' });
    });

    test('ends with the drain although the database is away, and removes no result', async () => {
      await using house = await openHouse(engine);
      const worker = newId();
      await house.submitMany(1);
      const [item] = await house.claimAs(worker);
      const away = () => Promise.reject(errno('ECONNREFUSED'));
      const removed: string[] = [];
      const app = {
        ...house.app,
        db: { ...house.app.db, transaction: away, query: house.app.db.query.withSchema('nowhere') },
        storage: { ...house.app.storage, remove: async (keys: string[]) => void removed.push(...keys) },
      };
      const leaving = new AbortController();
      const settling = openSettling(app, { worker, dead: never, leaving: leaving.signal });
      const done = settling.settle(item!, success());
      settling.hurry();
      setTimeout(() => leaving.abort(), 300);
      await done;
      expect(removed).toEqual([]);
      expect(await house.image(item!.id)).toMatchObject({ state: 'running' });
    });

    test('fails an image that was parked too often by its last try, and says why', async () => {
      await using house = await openHouse(engine);
      const worker = newId();
      await house.submitMany(1);
      await house.app.db.query.updateTable('images').set({ parks: 150, attempts_left: 1 }).execute();
      const [item] = await house.claimAs(worker);
      await house.settleAs(worker, [ended(item!, { kind: 'park', waitMs: 1_000, host: 'busy.example' })]);
      expect(await house.image(item!.id)).toMatchObject({
        state: 'failed',
        error_code: 'rate_limited',
        error_host: 'busy.example',
      });
    });

    test('gives up an image that our own faults have sent back ten thousand times', async () => {
      await using house = await openHouse(engine);
      const worker = newId();
      await house.submitMany(1);
      await house.app.db.query.updateTable('images').set({ attempts: 9_999 }).execute();
      const [item] = await house.claimAs(worker);
      await house.settleAs(worker, [ended(item!, { kind: 'release' })]);
      expect(await house.image(item!.id)).toMatchObject({ state: 'failed', error_code: 'internal' });
    });

    test('keeps the last ten attempts of an image', async () => {
      await using house = await openHouse(engine);
      const worker = newId();
      await house.submitMany(1);
      await house.app.db.query.updateTable('images').set({ attempts_left: 20 }).execute();
      for (let round = 0; round < 12; round += 1) {
        const [item] = await house.claimAs(worker);
        await house.settleAs(worker, [ended(item!, round < 11 ? retry('timeout', 0) : failure('not_found'))]);
      }
      const [image] = await house.app.db.query.selectFrom('images').select('history').execute();
      expect((image!.history as { attempt: number }[]).map(({ attempt }) => attempt)).toEqual([
        3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
      ]);
    });
  });
});

const canMount = (() => {
  try {
    execFileSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', tmpdir()], { stdio: 'ignore' });
    return true;
  } catch {
    console.warn('SKIPPED: a full disk under a worker (only root may mount one)');
    return false;
  }
})();

test.skipIf(!canMount)('a full disk costs no image a try, and the batch ends when there is room again', async () => {
  await using gallery = await openGallery();
  const dataDir = await mkdtemp(join(tmpdir(), 'darkroom-full-'));
  const files = join(dataDir, 'files');
  await mkdir(files);
  await seedDataDir(dataDir);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=128k,nr_inodes=600', 'tmpfs', files]);
  const { config } = readConfig({
    PORT: '0',
    DATA_DIR: dataDir,
    DARKROOM_ALLOW_HOSTS: gallery.host,
    DARKROOM_DISK_FLOOR: '1kb',
  });
  const house = await start(config, { version: 'test', log: silent, serve: false, work: true });
  try {
    const images = Array.from({ length: 12 }, (_, n) => ({ source: { url: gallery.url(n + 1) } }));
    const { id } = await submitBatch(house.app, {
      surface: 'test',
      owner: '',
      renditions: [compress],
      content: { images },
    });
    const rows = () => house.app.db.query.selectFrom('images').selectAll().where('batch_id', '=', id).execute();
    const givenBack = async () => (await rows()).some((image) => image.attempts > 5 - image.attempts_left);
    await expect.poll(givenBack, { timeout: 20_000 }).toBe(true);
    execFileSync('mount', ['-o', 'remount,size=64m', files]);
    await expect
      .poll(async () => (await rows()).every((image) => image.state === 'succeeded'), { timeout: 40_000 })
      .toBe(true);
    expect((await rows()).map((image) => image.attempts_left)).toEqual(Array(12).fill(4));
  } finally {
    await house.stop();
    execFileSync('umount', [files]);
    await rm(dataDir, { recursive: true, force: true });
  }
});
