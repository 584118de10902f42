// house.ts — a house for tests of the heart: a real database and a real storage, and the verbs that tell a story.

import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { claimImages, type Claimed } from '../../src/batches/claim.ts';
import { newFileName } from '../../src/batches/ids.ts';
import type { Batch, NewBatch, NewImage, Rendition } from '../../src/batches/model.ts';
import { enterWorker, leaveWorker } from '../../src/batches/reap.ts';
import { findBatch } from '../../src/batches/read.ts';
import { settleImages, type Outcome, type Settled } from '../../src/batches/settle.ts';
import { submitBatch } from '../../src/batches/submit.ts';
import { readConfig } from '../../src/config.ts';
import { openStorage } from '../../src/storage/index.ts';
import { openTestDatabase, silent, type EngineName } from './databases.ts';

export const compress: Rendition = {
  name: 'default',
  recipe: { ops: [], out: { format: 'keep', quality: 50 } },
};

export type House = Awaited<ReturnType<typeof openHouse>>;

/** Opens a house on its own database and folder; disposing it removes both. */
export async function openHouse(engine: EngineName) {
  const db = await openTestDatabase(engine);
  const dataDir = await mkdtemp(join(tmpdir(), 'darkroom-house-'));
  const { config } = readConfig({ DATA_DIR: dataDir });
  const storage = await openStorage({ url: '', dataDir, diskFloor: 0, log: silent });
  const app = { db, storage, config, log: silent };

  async function submit(content: NewImage[] | NewBatch['content'], more: Partial<NewBatch> = {}): Promise<Batch> {
    const given = Array.isArray(content) ? { images: content } : content;
    return submitBatch(app, { surface: 'test', owner: '', renditions: [compress], content: given, ...more });
  }

  return {
    app,
    submit,
    /** A batch of `count` images that somebody could fetch. */
    submitMany: (count: number, more: Partial<NewBatch> = {}) => submit(imagesOf(count), more),
    /** Enters a worker and lets it claim. */
    async claimAs(worker: string, limit = 100, lanes: [0 | 1 | 2, 0 | 1 | 2] = [0, 1]): Promise<Claimed[]> {
      const known = await db.query.selectFrom('workers').select('id').where('id', '=', worker).executeTakeFirst();
      if (!known) await enterWorker(app, { id: worker, version: 'test', slots: 1 });
      return claimImages(app, { worker, lanes, limit });
    },
    settleAs: (worker: string, settled: Settled[]) => settleImages(app, worker, settled),
    /** The worker's last sign of life was `seconds` ago. */
    silence: (worker: string, seconds = 60) =>
      sql`update workers set seen_at = now() - ${seconds} * interval '1 s' where id = ${worker}`.execute(db.query),
    forget: (worker: string) => leaveWorker(app, worker),
    batch: async (id: string): Promise<Batch> =>
      (await findBatch(app, id)) ?? Promise.reject(new Error('no such batch')),
    image: (id: string) => db.query.selectFrom('images').selectAll().where('id', '=', id).executeTakeFirstOrThrow(),
    images: (batchId: string) =>
      db.query.selectFrom('images').selectAll().where('batch_id', '=', batchId).orderBy('position').execute(),
    async [Symbol.asyncDispose]() {
      await storage.close();
      await db.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

export function imagesOf(count: number, host = 'pictures.example'): NewImage[] {
  return Array.from({ length: count }, (_, index) => ({ source: { url: `https://${host}/${index + 1}.jpg` } }));
}

/** How a claimed image might end, ready to be settled. */
export function ended(item: Claimed, outcome: Outcome): Settled {
  return { id: item.id, attempt: item.attempt, startedAt: item.startedAt, outcome };
}

/** A success with one stored file; nothing lies in storage unless the test puts it there. */
export function success(more: { file?: string; fresh?: boolean; bytesIn?: number; bytesOut?: number } = {}): Outcome {
  const { file = newFileName('jpg'), fresh = true, bytesIn = 1000, bytesOut = 400 } = more;
  const sha256 = createHash('sha256').update(file).digest();
  return {
    kind: 'succeeded',
    source: { sha256, mediaType: 'image/jpeg', bytes: bytesIn, width: 20, height: 10 },
    renditions: [
      {
        name: 'default',
        file,
        fresh,
        mediaType: 'image/jpeg',
        bytes: bytesOut,
        sha256,
        workKey: '00000000-0000-4000-8000-000000000001',
        width: 20,
        height: 10,
        details: { quality: 50, keptOriginal: false, warnings: [] },
      },
    ],
    warnings: [],
    timings: { waiting: 1, fetch: 2, decode: 3, transform: 4, encode: 5, store: 6 },
  };
}

export const failure = (code: string): Outcome => ({ kind: 'failed', code, host: 'pictures.example', httpStatus: 404 });
export const retry = (code: string, waitMs = 1000): Outcome => ({ kind: 'retry', code, waitMs });
