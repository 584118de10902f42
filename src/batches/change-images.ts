// change-images.ts — what people may ask of single images: retry one, cancel one, delete some.
//
// Each is one transaction with counters, events and perhaps the end of the batch, as if a worker had done it. Images are
// locked before their batches, as everywhere. Within a generation an image ends once, so one that failed in a batch that
// still runs has to wait for its end.

import { sql } from 'kysely';
import type { Uses } from '../app.ts';
import type { Tx } from '../db/database.ts';
import { tellBatches } from '../notify/events.ts';
import { problem, problemSaying } from '../problem.ts';
import { cancelImages } from './cancel.ts';
import { closeBatches } from './close.ts';
import { recordEnds } from './end.ts';
import { hasEnded, type Batch, type Image, type ImageState } from './model.ts';
import { readBatch } from './read.ts';
import { readImages } from './read-images.ts';
import { wasRefused } from './retry.ts';

/** `owner` undefined = any. What belongs to somebody else is as unknown as what never was. */
type Whose = { owner?: string | undefined };

/**
 * Puts one failed or canceled image back into the queue and opens its batch for a new generation. Somebody waits for it, so
 * it goes to the interactive lane, whatever its batch. Throws not_found, batch_running or nothing_to_retry.
 */
export async function retryImage(app: Uses<'db' | 'config'>, id: string, { owner }: Whose): Promise<Image> {
  const { db, config } = app;
  return db.transaction(async (tx) => {
    const { state, batch, refused } = await lockImage(tx, id, owner);
    await sql`select id from batches where id = ${batch.id} for update`.execute(tx);
    const locked = await readBatch(tx, batch.id);
    if (!locked) throw problem('not_found');
    if (!hasEnded(locked.state)) throw problem('batch_running');
    if (state !== 'failed' && state !== 'canceled') throw problem('nothing_to_retry');
    if (refused)
      throw problemSaying('nothing_to_retry', 'This file was no picture, so nothing of it was kept. Upload it again.');
    await sql`
      update batches set
        state = 'running', generation = generation + 1, finished_at = null, canceled_at = null, expires_at = null,
        failed = failed - ${state === 'failed' ? 1 : 0}, canceled = canceled - ${state === 'canceled' ? 1 : 0}::int
      where id = ${batch.id}`.execute(tx);
    await sql`
      update images set
        state = 'queued', lane = 0, run_at = null, worker = null,
        turn = coalesce((select turn from images where state = 'queued' and run_at is null and lane = 0 order by turn limit 1), 0),
        attempts_left = ${config.attempts}, strikes = 0, parks = 0, finished_at = null,
        error_code = null, error_host = null, error_status = null, warnings = null
      where id = ${id}`.execute(tx);
    await tellBatches(tx, [batch.id]);
    await sql`select pg_notify('work', '')`.execute(tx);
    return imageOf(tx, id);
  });
}

/** Ends one waiting image. One that has ended stays as it is; throws not_found, or image_running. */
export async function cancelImage({ db }: Uses<'db'>, id: string, { owner }: Whose): Promise<Image> {
  return db.transaction(async (tx) => {
    const { state } = await lockImage(tx, id, owner);
    if (state === 'running') throw problem('image_running');
    if (state === 'queued' || state === 'dispatched') await recordEnds(tx, await cancelImages(tx, [id]));
    return imageOf(tx, id);
  });
}

/** Deletes the images, whatever their state; returns how many there were. Files without another user go with the sweep. */
export async function deleteImages({ db }: Uses<'db'>, ids: string[], { owner }: Whose): Promise<number> {
  let deleted = 0;
  const sorted = ids.toSorted();
  for (let from = 0; from < sorted.length; from += db.rowsPerStatement) {
    const some = sorted.slice(from, from + db.rowsPerStatement);
    deleted += await db.transaction((tx) => deleteSome(tx, some, owner));
  }
  return deleted;
}

/** The triggers take the rows out of the counters; with its last open image gone, a batch has ended. */
async function deleteSome(tx: Tx, ids: string[], owner: string | undefined): Promise<number> {
  const { rows } = await sql<{ id: string; batch_id: string }>`
    select i.id, i.batch_id from images i
    join batches b on b.id = i.batch_id and b.chore is distinct from 'delete'
    where i.id = any(${ids}::uuid[]) and (${owner ?? null}::text is null or b.owner = ${owner ?? null})
    order by i.id
    for update of i`.execute(tx);
  if (rows.length === 0) return 0;
  await sql`delete from images where id = any(${rows.map(({ id }) => id)}::uuid[])`.execute(tx);
  const batches = [...new Set(rows.map((row) => row.batch_id))];
  await closeBatches(tx, batches);
  await tellBatches(tx, batches);
  return rows.length;
}

/** The image, locked until the commit, and its batch as it stands. */
type Locked = { state: ImageState; refused: boolean; batch: Batch };

async function lockImage(tx: Tx, id: string, owner: string | undefined): Promise<Locked> {
  const { rows } = await sql<{ batch_id: string; state: ImageState; refused: boolean }>`
    select batch_id, state, ${wasRefused} as refused from images where id = ${id} for update`.execute(tx);
  const [image] = rows;
  const batch = image && (await readBatch(tx, image.batch_id, owner));
  if (!batch) throw problem('not_found');
  return { state: image.state, refused: image.refused, batch };
}

async function imageOf(tx: Tx, id: string): Promise<Image> {
  const [image] = await readImages(tx, [id]);
  if (!image) throw problem('not_found');
  return image;
}
