// rows.ts — catalogs by the hundred thousand, without their pictures: what the database part of the house costs.
//
// The product's own functions in a process of their own, because a running server would begin to fetch. What is timed is
// what the product does: receive and survey, submit, expand; claim and settle by hundreds; write the output. Only
// `finish` is ours: it gives the images that nobody worked on a result, so that the output has something to say.

import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { claimChore } from '../../src/batches/chores.ts';
import { claimImages, type Claimed, type KnownBatches } from '../../src/batches/claim.ts';
import { expandCatalog } from '../../src/batches/expand.ts';
import { newFileName } from '../../src/batches/ids.ts';
import { receiveCatalog } from '../../src/batches/intake.ts';
import { readBatch } from '../../src/batches/read.ts';
import { settleImages, type Settled } from '../../src/batches/settle.ts';
import { submitBatch } from '../../src/batches/submit.ts';
import { outputCsv } from '../../src/surfaces/catalog-output.ts';
import { answer } from '../lib/side.ts';
import { openParts, readRecipe, type Parts } from './product.ts';

export type RowsRequests = {
  open: { ask: { dataDir: string; databaseUrl: string }; reply: { engine: string } };
  /** Receives and expands the catalog in `file`. */
  accept: {
    ask: { file: string };
    reply: { id: string; rows: number; receiveMs: number; insertMs: number; stallMs: number };
  };
  /** Claims and settles `images` by hundreds. */
  work: { ask: { images: number }; reply: { images: number; wallMs: number } };
  finish: { ask: { id: string }; reply: object };
  /** Writes the output and counts its lines. */
  write: { ask: { id: string }; reply: { lines: number; bytes: number; wallMs: number; stallMs: number } };
  close: { ask: object; reply: object };
};

const worker = 'bench';
const bundleSize = 100;
let opened: Parts | undefined;
/** As a worker remembers the batches it has met. */
const known: KnownBatches = new Map();

function parts(): Parts {
  if (!opened) throw new Error('the database is not open');
  return opened;
}

answer<RowsRequests>({
  open: async ({ dataDir, databaseUrl }) => {
    opened = await openParts(dataDir, databaseUrl);
    return { engine: opened.db.engine };
  },
  accept: async ({ file }) => {
    const app = parts();
    const stall = watchStalls();
    const begin = performance.now();
    const catalog = await receiveCatalog(app, createReadStream(file), { required: 'all' });
    const received = performance.now();
    const renditions = [{ name: 'default', recipe: readRecipe(app.config.pipeline, app.config.effort) }];
    const { id } = await submitBatch(app, { surface: 'catalog', owner: '', renditions, content: { catalog } });
    const chore = await claimChore(app, worker);
    if (chore) await expandCatalog(app, chore, new AbortController().signal);
    const insertMs = performance.now() - received;
    return { id, rows: catalog.products, receiveMs: received - begin, insertMs, stallMs: await stall.stop() };
  },
  work: async ({ images }) => {
    const app = parts();
    const begin = performance.now();
    let done = 0;
    while (done < images) {
      const claimed = await claimImages(app, { worker, lanes: [0, 1], limit: bundleSize, known });
      if (claimed.length === 0) break;
      done += (await settleImages(app, worker, claimed.map(succeed))).size;
    }
    return { images: done, wallMs: performance.now() - begin };
  },
  finish: async ({ id }) => {
    await giveResults(parts(), id);
    return {};
  },
  write: async ({ id }) => {
    const app = parts();
    const batch = await readBatch(app.db.query, id);
    if (!batch) throw new Error(`no batch ${id}`);
    const stall = watchStalls();
    const begin = performance.now();
    const counted = { lines: 0, bytes: 0 };
    const options = { form: 'seed', excel: false, folder: '/processed_images' } as const;
    for await (const block of outputCsv(app, batch, options)) {
      counted.bytes += block.length;
      for (let at = block.indexOf(10); at >= 0; at = block.indexOf(10, at + 1)) counted.lines++;
    }
    const wallMs = performance.now() - begin;
    return { ...counted, wallMs, stallMs: await stall.stop() };
  },
  close: async () => {
    await opened?.storage.close();
    await opened?.db.close();
    return {};
  },
});

/** As a worker settles a picture that went well: one result of a file of its own. */
function succeed({ id, attempt, startedAt }: Claimed): Settled {
  const sha256 = randomBytes(32);
  const size = { width: 800, height: 600, bytes: 48_000, mediaType: 'image/jpeg' };
  return {
    id,
    attempt,
    startedAt,
    outcome: {
      kind: 'succeeded',
      source: { sha256, ...size },
      renditions: [
        {
          ...size,
          sha256,
          name: 'default',
          file: newFileName('jpg'),
          fresh: true,
          workKey: crypto.randomUUID(),
          details: { quality: 50, keptOriginal: false, warnings: [] },
        },
      ],
      warnings: [],
      timings: { waiting: 40, fetch: 210, decode: 18, transform: 25, encode: 31, store: 4 },
    },
  };
}

/** Window by window, as the product would have filled them. Not timed. */
async function giveResults({ db }: Parts, id: string): Promise<void> {
  const windowSize = 5000;
  const { rows } = await sql<{ last: number }>`
    select coalesce(max(position), 0) as last from images where batch_id = ${id}`.execute(db.query);
  for (let from = 0; from < (rows[0]?.last ?? 0); from += windowSize)
    await sql`
      with i as (
        update images set state = 'succeeded', finished_at = now()
        where batch_id = ${id} and position > ${from} and position <= ${from + windowSize} and state = 'queued'
        returning id
      ), f as (
        insert into files (name, kind, media_type, bytes, sha256)
        select md5(id::text) || '.jpg', 'result', 'image/jpeg', 48000, decode(md5(id::text), 'hex') from i
      )
      insert into renditions (image_id, name, file, work_key, width, height)
      select id, 'default', md5(id::text) || '.jpg', md5(id::text)::uuid, 800, 600 from i`.execute(db.query);
  await sql`
    update batches set state = 'succeeded', succeeded = total, finished_at = now(), chore = null where id = ${id}`.execute(
    db.query,
  );
  await sql`analyze`.execute(db.query);
}

/** The longest time the event loop did not turn: what a request to this process would have waited. */
function watchStalls(): { stop(): Promise<number> } {
  const resolutionMs = 5;
  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  delay.enable();
  return {
    async stop() {
      // A stall that lasts until now is written down when the loop turns again.
      await sleep(2 * resolutionMs);
      delay.disable();
      return Math.max(0, delay.max / 1e6 - resolutionMs);
    },
  };
}
