// The worker on its way: from a claim over a real source, a real sandbox and a real storage to settled results.

import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Batch, NewImage } from '../src/batches/model.ts';
import { findBatch } from '../src/batches/read.ts';
import { listImages } from '../src/batches/read-images.ts';
import { submitBatch } from '../src/batches/submit.ts';
import { waitForBatch } from '../src/batches/wait.ts';
import { readConfig } from '../src/config.ts';
import { parsePipeline } from '../src/imaging/grammar.ts';
import { start, type Started } from '../src/start.ts';
import { keyOf } from '../src/storage/storage.ts';
import { onEachDatabase, openTestDatabase, seedDataDir, silent, type EngineName } from './support/databases.ts';
import { openGallery } from './support/gallery.ts';
import { openReceiver } from './support/receiver.ts';

type Running = Started &
  AsyncDisposable & { submit: (urls: string[]) => Promise<Batch>; done: (id: string) => Promise<Batch> };

/** The whole house with a worker, on the engine, allowed to fetch from `hosts`. */
async function openRunning(engine: EngineName, hosts: string[]): Promise<Running> {
  const dataDir = await mkdtemp(join(tmpdir(), 'darkroom-work-'));
  const postgres = engine === 'postgres' ? await openTestDatabase(engine) : undefined;
  if (!postgres) await seedDataDir(dataDir);
  const env = { PORT: '0', DATA_DIR: dataDir, DARKROOM_ALLOW_HOSTS: hosts.join(','), DATABASE_URL: postgres?.url };
  const { config } = readConfig(env);
  const started = await start(config, { version: 'test', log: silent, serve: false, work: true });
  const recipe = parsePipeline('compress:50', config);
  return {
    ...started,
    async submit(urls) {
      const images: NewImage[] = urls.map((url) => ({ source: { url } }));
      return submitBatch(started.app, {
        surface: 'test',
        owner: '',
        renditions: [{ name: 'default', recipe }],
        content: { images },
      });
    },
    async done(id) {
      const batch = await waitForBatch(started.app, id, { ms: 45_000 });
      if (!batch?.finishedAt) throw new Error(`batch ${id} did not end: ${JSON.stringify(batch)}`);
      return batch;
    },
    async [Symbol.asyncDispose]() {
      await started.stop();
      await postgres?.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

onEachDatabase((engine) => {
  describe('the worker', () => {
    test('makes every picture of a batch a whole file in storage', async () => {
      await using gallery = await openGallery({ missing: (n) => n === 3 });
      await using house = await openRunning(engine, [gallery.host]);
      const { id } = await house.submit([1, 2, 3, 4].map(gallery.url));
      expect(await house.done(id)).toMatchObject({ state: 'partially_succeeded', counts: { succeeded: 3, failed: 1 } });
      const images = await listImages(house.app, id, { limit: 10 });
      expect(images[2]).toMatchObject({ state: 'failed', error: { code: 'not_found', httpStatus: 404 }, attempts: 1 });
      for (const { renditions } of images.filter((image) => image.state === 'succeeded')) {
        const [result] = renditions;
        const stored = await house.app.storage.open(keyOf(result!.file!));
        const bytes = Buffer.concat(await Array.fromAsync(stored!.body as AsyncIterable<Buffer>));
        const row = await house.app.db.query
          .selectFrom('files')
          .selectAll()
          .where('name', '=', result!.file!)
          .executeTakeFirstOrThrow();
        expect(bytes.length).toBe(result!.bytes);
        expect(createHash('sha256').update(bytes).digest()).toEqual(row.sha256);
      }
    });

    test('fetches a URL that stands twice in a batch once, and gives both the same file', async () => {
      await using gallery = await openGallery();
      await using house = await openRunning(engine, [gallery.host]);
      const { id } = await house.submit([1, 1, 2, 1].map(gallery.url));
      await house.done(id);
      expect(gallery.asked.get('/1.jpg')).toBe(1);
      const files = (await listImages(house.app, id, { limit: 10 })).map((image) => image.renditions[0]!.file);
      expect(files[1]).toBe(files[0]);
      expect(new Set(files).size).toBe(2);
    });

    test('takes the result over when the same bytes come with the same recipe again', async () => {
      await using gallery = await openGallery();
      await using house = await openRunning(engine, [gallery.host]);
      const first = await house.submit([gallery.url(1)]);
      await house.done(first.id);
      const second = await house.submit([gallery.url(1)]);
      await house.done(second.id);
      const [one] = await listImages(house.app, first.id, { limit: 1 });
      const [two] = await listImages(house.app, second.id, { limit: 1 });
      expect(two!.renditions[0]!.file).toBe(one!.renditions[0]!.file);
      expect(house.app.sandbox.children().reduce((sum, child) => sum + child.done, 0)).toBe(1);
    });

    test('tries a source again that answers 503 twice, and tells every attempt', async () => {
      await using gallery = await openGallery();
      const picture = await fetch(gallery.url(1)).then((answer) => answer.bytes());
      await using shy = await openReceiver((_call, number) =>
        number <= 2 ? { status: 503 } : { status: 200, body: Buffer.from(picture) },
      );
      await using house = await openRunning(engine, [shy.host]);
      const { id } = await house.submit([shy.url]);
      expect(await house.done(id)).toMatchObject({ state: 'succeeded' });
      const [image] = await listImages(house.app, id, { limit: 1 });
      expect(image).toMatchObject({ state: 'succeeded', attempts: 3 });
      expect(image!.history.map((attempt) => attempt.outcome)).toEqual(['retry', 'retry', 'succeeded']);
      expect(shy.calls.length).toBe(3);
    });

    test('parks images of a host that asked for a pause, without costing a try', async () => {
      await using busy = await openReceiver(() => ({ status: 429, headers: { 'retry-after': '600' } }));
      await using house = await openRunning(engine, [busy.host]);
      const { id } = await house.submit([`${busy.url}/1`]);
      await expect.poll(() => busy.calls.length, { timeout: 10_000 }).toBe(1);
      await expect.poll(() => house.app.egress.hosts.blockedFor(busy.host)).toBeGreaterThan(0);
      const later = await house.submit([`${busy.url}/2`]);
      const parked = () =>
        house.app.db.query.selectFrom('images').selectAll().where('batch_id', '=', later.id).executeTakeFirstOrThrow();
      await expect.poll(async () => (await parked()).parks, { timeout: 10_000 }).toBeGreaterThan(0);
      expect(await parked()).toMatchObject({ state: 'queued', attempts_left: 5 });
      expect(busy.calls.length).toBe(1);
      expect(await findBatch(house.app, id)).toMatchObject({ state: 'running' });
    });

    test('fails the picture whose sandbox child is killed each time, and harms no other', async () => {
      await using gallery = await openGallery();
      await using house = await openRunning(engine, [gallery.host]);
      const hunter = setInterval(() => {
        for (const child of house.app.sandbox.children()) if (child.busy) process.kill(child.pid, 'SIGKILL');
      }, 1);
      const victim = await house.submit([gallery.url(1)]);
      expect(await house.done(victim.id)).toMatchObject({ state: 'failed' });
      clearInterval(hunter);
      expect((await listImages(house.app, victim.id, { limit: 1 }))[0]).toMatchObject({
        error: { code: 'decoder_crashed' },
      });
      const rest = await house.submit([2, 3, 4].map(gallery.url));
      expect(await house.done(rest.id)).toMatchObject({ state: 'succeeded', counts: { succeeded: 3 } });
    });

    test('gives back what it holds when it is stopped, and costs no try', async () => {
      await using gallery = await openGallery({ delayMs: 3_000 });
      await using house = await openRunning(engine, [gallery.host]);
      const postgres = house.app.db.engine === 'postgres';
      const { id } = await house.submit([1, 2, 3].map(gallery.url));
      await expect.poll(() => gallery.asked.size).toBe(3);
      const rows = postgres ? await openTwin(house) : undefined;
      await house.stop();
      if (!rows) return;
      const images = await rows.query.selectFrom('images').selectAll().where('batch_id', '=', id).execute();
      expect(images.map((image) => [image.state, image.attempts_left, image.strikes])).toEqual(
        Array.from({ length: 3 }, () => ['queued', 5, 0]),
      );
      expect(await rows.query.selectFrom('workers').selectAll().execute()).toEqual([]);
      await rows.close();
    });
  });
});

/** A second connection to the same PostgreSQL, to look after the house has closed its own. */
async function openTwin(house: Started) {
  const { openDatabase } = await import('../src/db/open.ts');
  return openDatabase({ url: house.app.config.databaseUrl, dataDir: '', pool: 1, log: silent });
}
