// submit.ts — makes a batch: one transaction, and nothing is published.
//
// What was acknowledged exists: the batch, its rows (or the order to expand its catalog) and its first event are one
// commit. Workers are told by a notification, which is a hint; they would find the rows anyway.

import { sql } from 'kysely';
import { readRows } from '../catalogs/read.ts';
import type { CatalogRow } from '../catalogs/catalog.ts';
import type { Uses } from '../app.ts';
import type { Tx } from '../db/database.ts';
import { problem } from '../problem.ts';
import { keyOf } from '../storage/storage.ts';
import { closeBatches } from './close.ts';
import { newId } from './ids.ts';
import { chunkOfCatalog, chunkOfImages, eventsAtBirth, insertChunk, storable, type Chunk } from './insert.ts';
import { catalogLimits } from './intake.ts';
import { writeEvents, type NewEvent } from './journal.ts';
import type { Batch, NewBatch, ReceivedCatalog } from './model.ts';
import { judgeQuota } from './quota.ts';
import { readBatch } from './read.ts';

/** Catalogs up to this many rows and images are inserted with the batch; larger ones are expanded by a worker. */
const insertedAtOnce = 500;
/** Batches up to this many images are somebody waiting; larger ones are bulk. */
const interactive = 20;

/**
 * Writes the batch and returns it. `also` runs inside the same transaction (an idempotency record that must exist
 * exactly when the batch does).
 */
export async function submitBatch(
  app: Uses<'db' | 'storage' | 'config'>,
  input: NewBatch,
  also?: (tx: Tx, batch: Batch) => Promise<void>,
): Promise<Batch> {
  const id = newId();
  const chunk = await firstRows(app, input);
  const catalog = 'catalog' in input.content ? input.content.catalog : undefined;
  const total = catalog?.images ?? chunk?.images.length ?? 0;
  return app.db.transaction(async (tx) => {
    await judgeQuota(tx, app, { owner: input.owner, images: total });
    if (catalog) await insertCatalogFile(tx, catalog, input.owner);
    await tx
      .insertInto('batches')
      .values(rowOf(input, { id, total, isExpanding: !chunk }))
      .execute();
    const born = chunk
      ? await insertRows(tx, chunk, { batchId: id, attempts: app.config.attempts, most: app.db.rowsPerStatement })
      : [];
    const begin = () => writeEvents(tx, [{ batchId: id, type: 'batch.created' }, ...born]);
    // A catalog may hold nothing but URLs that can never be fetched: then its end is told with its beginning. Else the
    // journal, for which everybody waits, comes last.
    const mayEnd = born.length > 0 || total === 0;
    if (mayEnd) {
      await begin();
      await closeBatches(tx, [id]);
    }
    const batch = await readBatch(tx, id);
    if (!batch) throw new Error(`batch ${id} is not there right after its insert`);
    await also?.(tx, batch);
    // Rows have told of themselves.
    if (!chunk) await sql`select pg_notify('work', '')`.execute(tx);
    if (!mayEnd) await begin();
    return batch;
  });
}

type Born = { id: string; total: number; isExpanding: boolean };

function rowOf(input: NewBatch, { id, total, isExpanding }: Born) {
  const catalog = 'catalog' in input.content ? input.content.catalog : undefined;
  return {
    id,
    name: storable(input.name ?? null),
    surface: input.surface,
    owner: input.owner,
    hop: input.hop ?? 0,
    state: isExpanding ? ('expanding' as const) : ('queued' as const),
    lane: total <= interactive ? (0 as const) : (1 as const),
    renditions: JSON.stringify(input.renditions),
    catalog: catalog?.file ?? null,
    dialect: catalog ? JSON.stringify(catalog.dialect) : null,
    problems: catalog ? JSON.stringify(catalog.problems) : null,
    problem_count: catalog?.problemCount ?? 0,
    webhook_url: input.webhook?.url ?? null,
    webhook_format: input.webhook?.format ?? 'json',
    total,
    chore: isExpanding ? ('expand' as const) : null,
  };
}

/** All rows of a batch that nobody else sees yet, some at a time; the events of those that have ended already. */
async function insertRows(
  tx: Tx,
  { products, images }: Chunk,
  { batchId, attempts, most }: { batchId: string; attempts: number; most: number },
): Promise<NewEvent[]> {
  const held = await holdFiles(tx, [...new Set(images.flatMap(({ upload }) => upload ?? []))]);
  const known = images.map((image) => ({ ...image, ...(image.upload !== null && held.get(image.upload)) }));
  const place = { batchId, attempts, worker: null, claims: 0, row: 0, nextRow: 0 };
  const born: NewEvent[] = [];
  for (let from = 0; from < Math.max(products.length, images.length); from += most) {
    const some = { products: products.slice(from, from + most), images: known.slice(from, from + most) };
    const inserted = await insertChunk(tx, some, { ...place, position: from });
    if (!inserted) throw new Error(`batch ${batchId} took no rows right after its insert`);
    if (inserted.ended > 0) born.push(...(await eventsAtBirth(tx, { batchId, position: from }, some)));
  }
  return born;
}

type Facts = { type: string; bytes: number };

/**
 * Keeps files from being swept until this commit, and tells what they are. One that is being removed already was looked up
 * too early.
 */
async function holdFiles(tx: Tx, names: string[]): Promise<Map<string, Facts>> {
  if (names.length === 0) return new Map();
  const { rows } = await sql<Facts & { name: string }>`
    select name, media_type as type, bytes from files
    where name = any(${names}::text[]) and gone_at is null order by name for key share`.execute(tx);
  const held = new Map(rows.map(({ name, type, bytes }) => [name, { type, bytes }]));
  const gone = names.find((name) => !held.has(name));
  if (gone !== undefined) throw problem('unknown_upload', { name: gone });
  return held;
}

/** The rows that go in with the batch; undefined when there are so many that a worker shall expand them. */
async function firstRows(app: Uses<'storage' | 'config'>, { content }: NewBatch): Promise<Chunk | undefined> {
  if ('images' in content) return chunkOfImages(content.images);
  const { file, products, images, dialect } = content.catalog;
  if (Math.max(products, images) > insertedAtOnce) return undefined;
  const stored = await app.storage.open(keyOf(file));
  if (!stored) throw new Error(`catalog ${file} is not in storage`);
  const rows: CatalogRow[] = [];
  for await (const some of readRows(stored.body, { dialect, limits: catalogLimits(app.config) })) rows.push(...some);
  return chunkOfCatalog(rows);
}

/** A catalog that was uploaded before has its row already, and is held like any upload. */
async function insertCatalogFile(tx: Tx, { file, bytes, sha256 }: ReceivedCatalog, owner: string): Promise<void> {
  await tx
    .insertInto('files')
    .values({ name: file, kind: 'catalog', media_type: 'text/csv', bytes, sha256, owner })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute();
  await holdFiles(tx, [file]);
}
