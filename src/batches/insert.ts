// insert.ts — writes products and images of a batch, a chunk at a time.
//
// One statement moves the batch's cursor, counts what is born failed and inserts the rows, and the rows hang on the
// cursor: whoever holds an old cursor inserts nothing. Rows go in by unnest; COPY would end the process on PGlite. It stands
// in the select list: as a table, every column would be written down once more before it is read.

import { sql } from 'kysely';
import { judgeUrl } from '../catalogs/urls.ts';
import type { CatalogRow } from '../catalogs/catalog.ts';
import { plainColumn, textColumn } from '../db/columns.ts';
import type { Tx } from '../db/database.ts';
import { settledEvents } from './end.ts';
import type { NewEvent } from './journal.ts';
import type { NewImage } from './model.ts';
import { newIds } from './ids.ts';
import { standing, turnOf } from './share.ts';

export type ProductRow = { line: number; serial: string; name: string; cells: string | null; problem: string | null };
export type ImageRow = {
  line: number | null;
  ref: string | null;
  name: string | null;
  url: string | null;
  upload: string | null;
  /** Of an upload, which was looked at before: a list tells them while it waits, and when it could never be a picture. */
  type: string | null;
  bytes: number | null;
  /** Set when the row is born failed: it keeps its place and is counted. */
  error: string | null;
};

export type Chunk = { products: ProductRow[]; images: ImageRow[] };

/** How many of a chunk's images ended when they were born: their URL can never be fetched, or the batch was canceled. */
export type Inserted = { ended: number };

/** Where a chunk belongs and who may insert it. `row` and `nextRow` count data rows of the catalog already taken. */
export type Place = {
  batchId: string;
  worker: string | null;
  claims: number;
  row: number;
  nextRow: number;
  /** Images inserted before this chunk. */
  position: number;
  /** Tries that each image has. */
  attempts: number;
};

/** The rows of a catalog as products and images. */
export function chunkOfCatalog(rows: CatalogRow[]): Chunk {
  const chunk: Chunk = { products: [], images: [] };
  for (const { line, serial, name, cells, urls, warnings } of rows) {
    const problem = urls.length === 0 ? 'no_image_urls' : (warnings[0] ?? null);
    chunk.products.push({ line, serial, name, cells: cellsToKeep({ serial, name, cells, urls }), problem });
    for (const { text, url } of urls) {
      const error = url === undefined ? 'invalid_url' : null;
      chunk.images.push({ ...noSource, line, ref: null, name: null, url: url ?? text, error });
    }
  }
  return chunk;
}

/** Null where serial, name and URLs say the same again: most catalogs have these columns and no others. */
function cellsToKeep({ serial, name, cells, urls }: Pick<CatalogRow, 'serial' | 'name' | 'cells' | 'urls'>) {
  const [first, second, third, ...more] = cells;
  const told = first === serial && second === name && third === urls.map(({ text, url }) => url ?? text).join(',');
  return told && more.length === 0 ? null : JSON.stringify(cells);
}

/** Images named one by one: each with a product stands on a line of its own. */
export function chunkOfImages(images: NewImage[]): Chunk {
  const chunk: Chunk = { products: [], images: [] };
  images.forEach(({ source, ref = null, name = null, product }, index) => {
    const line = product ? index + 1 : null;
    if (product) {
      const [serial, label] = [storable(product.serial), storable(product.name)];
      chunk.products.push({ line: index + 1, serial, name: label, cells: null, problem: null });
    }
    chunk.images.push({ line, ref: storable(ref), name: storable(name), ...sourceColumns(source) });
  });
  return chunk;
}

const noSource = { url: null, upload: null, type: null, bytes: null, error: null };

function sourceColumns(source: NewImage['source']): Omit<ImageRow, 'line' | 'ref' | 'name'> {
  if ('upload' in source) return { ...noSource, upload: source.upload };
  if ('refused' in source) return { ...noSource, bytes: source.bytes, error: source.refused };
  if ('invalid' in source) return { ...noSource, url: storable(source.invalid), error: 'invalid_url' };
  return { ...noSource, url: storable(judgeUrl(source.url) ?? source.url) };
}

/** PostgreSQL's text holds every character but one, and what a person sends must not become our fault. */
export function storable<Text extends string | null>(text: Text): Text {
  return (text?.replaceAll('\0', '') ?? null) as Text;
}

/**
 * Inserts the chunk if the batch's cursor still stands at `place.row` in the hands of `place.worker`; undefined if not.
 *
 * Which turns the rows get is told in share.ts. Workers hear of the rows when they are committed.
 */
export async function insertChunk(tx: Tx, { products, images }: Chunk, place: Place): Promise<Inserted | undefined> {
  const failed = images.filter((image) => image.error !== null).length;
  const alive = images.length - failed;
  const { rows } = await sql<{ canceled: boolean }>`
    with s as (${standing(place.batchId)}), b as (
      update batches set
        turn = ${turnOf(sql<number>`${images.length}::int`)},
        chore_row = ${place.nextRow},
        chore_filter = jsonb_build_object('position', ${place.position + images.length}::int),
        failed = failed + ${failed},
        canceled = canceled + case when canceled_at is null then 0 else ${alive}::int end
      from s
      where id = ${place.batchId} and claims = ${place.claims} and worker is not distinct from ${place.worker}::text
        and chore is not distinct from ${place.worker === null ? null : 'expand'}::text and chore_row = ${place.row}
      returning id, lane, canceled_at, s.*
    ), p as (
      insert into products (batch_id, line, serial, name, cells, problem)
      select b.id, unnest(${plainColumn(products.map((each) => each.line))}::int[]), unnest(${column(products, 'serial')}),
        unnest(${column(products, 'name')}), unnest(${column(products, 'cells')})::jsonb, unnest(${column(products, 'problem')})
      from b
    ), r as (
      select b.*, generate_series(1, ${images.length}::int) as n, unnest(${plainColumn(newIds(images.length))}::uuid[]) as image_id,
        unnest(${plainColumn(images.map((each) => each.line))}::int[]) as line, unnest(${column(images, 'ref')}) as ref,
        unnest(${column(images, 'name')}) as name, unnest(${column(images, 'url')}) as url,
        unnest(${column(images, 'upload')}) as upload, unnest(${column(images, 'type')}) as type,
        unnest(${plainColumn(images.map((each) => each.bytes))}::int[]) as bytes, unnest(${column(images, 'error')}) as error
      from b
    ), i as (
      insert into images (id, batch_id, position, line, ref, name, source_url, source_file, source_type, source_bytes,
        lane, turn, attempts_left, state, error_code, finished_at)
      select image_id, id, ${place.position}::int + n, line, ref, name, url, upload, type, bytes, lane, ${turnOf(sql<number>`n`)}, ${place.attempts}::int,
        case when error is not null then 'failed' when canceled_at is not null then 'canceled' else 'queued' end,
        error,
        case when error is not null or canceled_at is not null then now() end
      from r
    )
    select canceled_at is not null as canceled, pg_notify('work', '') from b`.execute(tx);
  return rows[0] && { ended: rows[0].canceled ? images.length : failed };
}

/** The events of a chunk's images that ended when they were born: they have no other moment to be told of. */
export async function eventsAtBirth(
  tx: Tx,
  { batchId, position }: Pick<Place, 'batchId' | 'position'>,
  { images }: Chunk,
): Promise<NewEvent[]> {
  const { rows } = await sql<{ id: string; state: 'failed' | 'canceled' }>`
    select id, state from images
    where batch_id = ${batchId} and position > ${position} and position <= ${position + images.length}
      and state in ('failed', 'canceled') and attempts = 0
    order by position`.execute(tx);
  return settledEvents(batchId, rows);
}

/** All values of one column of text, as an array. */
function column<Key extends string>(rows: Record<Key, string | null>[], key: Key) {
  return sql`${textColumn(rows.map((row) => row[key]))}::text[]`;
}
