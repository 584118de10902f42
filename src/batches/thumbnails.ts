// thumbnails.ts — small pictures of an image's source and result, made when somebody first looks.
//
// Made in the sandbox like everything from outside, then kept as a rendition whose name begins with a dot: it goes with its
// image and is no result. The source of a URL image is fetched anew; if it cannot be had, there is no thumbnail, and that is
// no fault of ours. Many lookers at once are one making, and makings leave the worker its slots.

import { sql } from 'kysely';
import type { Uses } from '../app.ts';
import { parsePipeline } from '../imaging/grammar.ts';
import type { Rendered } from '../imaging/imaging.ts';
import { Problem, problem } from '../problem.ts';
import { keyOf } from '../storage/storage.ts';
import type { Claimed } from './claim.ts';
import { newFileName, newId } from './ids.ts';
import { discardUpload } from './intake.ts';
import type { Image } from './model.ts';
import { isHouseFault, Parked } from './outcome.ts';
import { openSlots } from './slots.ts';
import { bringSource } from './source.ts';

export type Look = { of: 'source' | 'default'; size: 256 | 1600 };

export type Thumbnails = {
  /** The storage name of the thumbnail. Throws not_found, expired, overloaded, or a fault of our own house. */
  fileOf(image: Image, look: Look): Promise<string>;
};

type Needs = Uses<'db' | 'storage' | 'egress' | 'sandbox' | 'config'>;
type Made = { file: string };

const makingMs = 60_000;
const mostWaiting = 200;
const pipelines = { 256: 'fit:256x256/webp:75', 1600: 'fit:1600x1600/webp:80' } as const;

export function openThumbnails(app: Needs): Thumbnails {
  const underWay = new Map<string, Promise<string>>();
  const slots = openSlots(Math.max(1, Math.floor(app.sandbox.slots / 2)));

  async function make(image: Image, look: Look): Promise<string> {
    const signal = AbortSignal.timeout(makingMs);
    const leave = await slots.enter({ lane: 0, bytes: 0 }, signal);
    try {
      return (await keep(app, image, { ...look, made: await render(app, image, { ...look, signal }) })).file;
    } finally {
      leave();
    }
  }

  return {
    async fileOf(image, look) {
      const known = await findMade(app, image.id, look);
      if (known) return known.file;
      const key = `${image.id} ${nameOf(look)}`;
      const same = underWay.get(key);
      if (same) return same;
      if (underWay.size >= mostWaiting) throw problem('overloaded', {}, { retryAfterMs: 2000 });
      const making = make(image, look)
        .catch((error: unknown) => Promise.reject(absentOr(error)))
        .finally(() => underWay.delete(key));
      underWay.set(key, making);
      return making;
    },
  };
}

/** A source that is gone, slow or no picture is a thumbnail that does not exist. */
function absentOr(error: unknown): unknown {
  if (isHouseFault(error)) return error;
  if (error instanceof Problem && ['not_found', 'expired'].includes(error.code)) return error;
  const isTheirs = error instanceof Problem || error instanceof Parked || isTimeout(error);
  return isTheirs ? problem('not_found', {}, { cause: error }) : error;
}

const isTimeout = (error: unknown): boolean => error instanceof DOMException && error.name === 'TimeoutError';

const nameOf = ({ of, size }: Look): string => `.${of}-${size}`;

async function findMade({ db }: Uses<'db'>, imageId: string, look: Look): Promise<Made | undefined> {
  const { rows } = await sql<Made>`
    select r.file from renditions r join files f on f.name = r.file and f.gone_at is null
    where r.image_id = ${imageId} and r.name = ${nameOf(look)}`.execute(db.query);
  return rows[0];
}

async function render(app: Needs, image: Image, { of, size, signal }: Look & { signal: AbortSignal }) {
  const from = of === 'source' ? await sourceOf(app, image.id) : { source: resultOf(image), hop: 0 };
  const { chunks, bytes } = await bringSource(app, from, signal);
  const { maxOutputSide } = app.config;
  const recipe = parsePipeline(pipelines[size], { maxOutputSide, effort: 'fast' });
  const job = { id: image.id, chunks, bytes, renditions: [{ name: 'thumbnail', recipe }] };
  const { renditions } = await app.sandbox.render(job, { signal });
  const [made] = renditions;
  if (!made) throw new Error('the sandbox gave no thumbnail');
  return made;
}

/** The file that a dialect with one result would show. */
function resultOf({ state, renditions }: Image): { upload: string } {
  if (state !== 'succeeded') throw problem('not_found');
  const shown = renditions.find(({ name }) => name === 'default') ?? renditions[0];
  if (!shown?.file) throw problem('expired');
  return { upload: shown.file };
}

async function sourceOf({ db }: Uses<'db'>, id: string): Promise<Pick<Claimed, 'source' | 'hop'>> {
  const { rows } = await sql<{ url: string | null; file: string | null; hop: number }>`
    select i.source_url as url, i.source_file as file, b.hop
    from images i join batches b on b.id = i.batch_id where i.id = ${id}`.execute(db.query);
  const [row] = rows;
  if (!row) throw problem('not_found');
  if (row.file !== null) return { source: { upload: row.file }, hop: row.hop };
  return { source: row.url === null ? 'gone' : { url: row.url }, hop: row.hop };
}

/** Stores it under a new name. Another process may have been first, and the image may be gone: then ours is removed. */
async function keep(app: Needs, image: Image, { made, ...look }: Look & { made: Rendered }): Promise<Made> {
  const file = newFileName(made.extension);
  const stored = await app.storage.put(keyOf(file), made.body, { type: made.mediaType });
  try {
    if (await record(app, image.id, { name: nameOf(look), file, made, ...stored })) return { file };
  } catch (error) {
    await discardUpload(app, file);
    throw isForeignKey(error) ? problem('not_found') : error;
  }
  await discardUpload(app, file);
  const winner = await findMade(app, image.id, look);
  if (!winner) throw problem('not_found');
  return winner;
}

type Record = { name: string; file: string; made: Rendered; bytes: number; sha256: Buffer };

/** False when there is one already. The work key is nobody's: a thumbnail must never be reused as a result. */
async function record({ db }: Uses<'db'>, imageId: string, { name, file, made, bytes, sha256 }: Record) {
  const { rows } = await sql<Made>`
    with f as (
      insert into files (name, kind, media_type, bytes, sha256)
      values (${file}, 'result', ${made.mediaType}, ${bytes}, ${sha256})
    )
    insert into renditions as r (image_id, name, file, work_key, width, height)
    values (${imageId}, ${name}, ${file}, ${newId()}, ${made.width}, ${made.height})
    on conflict (image_id, name) do update set file = excluded.file, width = excluded.width, height = excluded.height
    where r.file is null
    returning file`.execute(db.query);
  return rows.length > 0;
}

const isForeignKey = (error: unknown): boolean => (Object(error) as { code?: unknown }).code === '23503';
