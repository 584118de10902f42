// expand.ts — turns a stored catalog into products and images, chunk by chunk.
//
// Resumable: the cursor `chore_row` moves in the statement that inserts the rows, so after a crash the file is read again
// and skipped up to the cursor. Memory is two chunks: the next one is parsed while the database writes this one. Workers
// take the first rows meanwhile.

import { sql } from 'kysely';
import type { Uses } from '../app.ts';
import { readRows } from '../catalogs/read.ts';
import type { CatalogRow, Dialect } from '../catalogs/catalog.ts';
import type { Tx } from '../db/database.ts';
import { keyOf } from '../storage/storage.ts';
import type { Chore } from './chores.ts';
import { closeBatches } from './close.ts';
import { tellBatches } from '../notify/events.ts';
import { chunkOfCatalog, eventsAtBirth, insertChunk, type Chunk, type Place } from './insert.ts';
import { catalogLimits } from './intake.ts';
import { writeEvents } from './journal.ts';

/** Rows may be 64 kB long; two thousand of those in one statement would cost more memory than the rest of the process. */
const mostText = 512 * 1024;

/** Runs or resumes the expansion; returns false when somebody else has taken it over. */
export async function expandCatalog(
  app: Uses<'db' | 'storage' | 'config'>,
  chore: Chore,
  signal: AbortSignal,
): Promise<boolean> {
  const batch = await app.db.query
    .selectFrom('batches')
    .select(['catalog', 'dialect'])
    .where('id', '=', chore.batchId)
    .executeTakeFirstOrThrow();
  const stored = batch.catalog === null ? undefined : await app.storage.open(keyOf(batch.catalog));
  if (!stored) return failExpansion(app, chore);
  let { row, position } = chore;
  // Written by submit from a survey of the same file.
  const dialect = batch.dialect as Dialect;
  const rows = readRows(stored.body, { dialect, limits: catalogLimits(app.config), skip: row });
  let writing: Promise<boolean> = Promise.resolve(true);
  for await (const some of chunksOf(rows, app.db.rowsPerStatement)) {
    const chunk = chunkOfCatalog(some);
    if (!(await writing)) return false;
    signal.throwIfAborted();
    const place = { row, nextRow: row + some.length, position, attempts: app.config.attempts };
    writing = insertTold(app, chunk, { ...chore, ...place });
    // The next chunk is parsed before this promise is awaited again: it may reject in between.
    writing.catch(() => {});
    row += some.length;
    position += chunk.images.length;
  }
  return (await writing) && finishExpansion(app, chore);
}

/** A chunk, and the news of those of its images that ended when they were born, in one commit. */
async function insertTold({ db }: Uses<'db'>, chunk: Chunk, place: Place): Promise<boolean> {
  return db.transaction(async (tx) => {
    const inserted = await insertChunk(tx, chunk, place);
    if (inserted && inserted.ended > 0) await writeEvents(tx, await eventsAtBirth(tx, place, chunk));
    return inserted !== undefined;
  });
}

/** Lets the batch run on, or close at once when nothing in it is left to do. */
async function finishExpansion({ db }: Uses<'db'>, chore: Chore): Promise<boolean> {
  const isMine = await db.transaction((tx) => openExpanded(tx, chore));
  await sql`analyze images`.execute(db.query);
  return isMine;
}

/** The file is gone: what is not inserted can never be. The batch keeps the rows it has and says why it is short. */
async function failExpansion({ db }: Uses<'db'>, chore: Chore): Promise<boolean> {
  const { batchId, worker, claims } = chore;
  return db.transaction(async (tx) => {
    // Locked before it is counted: a deletion by hand that is under way would be counted here and subtracted there.
    await sql`select id from batches where id = ${batchId} for update`.execute(tx);
    await sql`
      update batches set total = (select count(*) from images where batch_id = ${batchId}), error_code = 'expired'
      where id = ${batchId} and worker = ${worker} and claims = ${claims} and chore = 'expand'`.execute(tx);
    return openExpanded(tx, chore);
  });
}

async function openExpanded(tx: Tx, { batchId, worker, claims }: Chore): Promise<boolean> {
  const { rows } = await sql`
    update batches set
      chore = case when canceled_at is null then null else 'cancel' end, worker = null, chore_row = 0, chore_filter = null,
      state = case when started_at is null then 'queued' else 'running' end
    where id = ${batchId} and worker = ${worker} and claims = ${claims} and chore = 'expand'
    returning id`.execute(tx);
  await closeBatches(tx, [batchId]);
  await tellBatches(tx, [batchId]);
  return rows.length > 0;
}

/** Cuts the stream of rows into chunks of at most `size` images and half a million characters; a row stays whole. */
async function* chunksOf(source: AsyncIterable<CatalogRow[]>, size: number): AsyncGenerator<CatalogRow[]> {
  let chunk: CatalogRow[] = [];
  let [images, text] = [0, 0];
  for await (const rows of source) {
    for (const row of rows) {
      const moreImages = Math.max(1, row.urls.length);
      const moreText = row.cells.reduce((sum, cell) => sum + cell.length, 0);
      if (chunk.length > 0 && (images + moreImages > size || text + moreText > mostText)) {
        yield chunk;
        chunk = [];
        [images, text] = [0, 0];
      }
      chunk.push(row);
      images += moreImages;
      text += moreText;
    }
  }
  if (chunk.length > 0) yield chunk;
}
