// read-output.ts — what the output CSV is written from, and which file a public name means.
//
// Keyset pages over products and images side by side, so that a million rows cost the memory of four pages: of each kind
// the one in use and the next one, which the database reads meanwhile. A page comes as one row with a JSON array for each
// column: taken apart field by field, a row cost PGlite's driver more than the query itself. It stays in columns until it is
// handed out, because what lives as long as a page makes V8 double its nursery.

import { sql } from 'kysely';
import type { Uses } from '../app.ts';
import type { FileKind } from '../db/schema.ts';
import type { Batch, ImageState, ProductView } from './model.ts';

const rowsAtOnce = 2000;

/** A page, never empty. */
type Columns<Row> = { [Key in keyof Row]: Row[Key][] };
type ProductRow = { line: number; serial: string | null; name: string | null; cells: string[] | null };
type ImageRow = {
  line: number | null;
  position: number;
  input: string;
  name: string | null;
  state: ImageState;
  code: string | null;
  file: string | null;
};
/** All products of the batch with their images, in input order. An image without a product is a row of its own. */
export async function* productPages(
  app: Uses<'db'>,
  batch: Batch,
  { failedOnly = false }: { failedOnly?: boolean } = {},
): AsyncGenerator<ProductView[]> {
  const slots = imageColumns(app, batch.id, shownRendition(batch));
  const pages = batch.catalog === null ? loosePages(app, batch.id, slots) : catalogPages(app, batch.id, slots);
  for await (const page of pages) {
    const kept = failedOnly ? page.filter((product) => product.images.some(hasFailed)) : page;
    if (kept.length > 0) yield kept;
  }
}

/** A dialect that shows one result an image shows `default`, else the first. */
export function shownRendition({ renditions }: Batch): string {
  const names = renditions.map((rendition) => rendition.name);
  return names.includes('default') ? 'default' : (names[0] ?? 'default');
}

function hasFailed({ state }: { state: ImageState }): boolean {
  return state === 'failed' || state === 'canceled';
}

type Images = AsyncGenerator<Columns<ImageRow>>;

/** A catalog: two ordered streams, products by line and images by position, laid side by side. */
async function* catalogPages(app: Uses<'db'>, batchId: string, slots: Images): AsyncGenerator<ProductView[]> {
  let waiting: Columns<ImageRow> | undefined;
  let next = 0;
  for await (const page of productColumns(app, batchId)) {
    const views: ProductView[] = [];
    for (let at = 0; at < page.line.length; at++) {
      const line = page.line[at]!;
      let images: ProductView['images'] = [];
      for (;;) {
        if (next === (waiting?.position.length ?? 0)) {
          const pulled = await slots.next();
          waiting = pulled.done ? undefined : pulled.value;
          next = 0;
        }
        if (!waiting || (waiting.line[next] ?? 0) > line) break;
        // Most products have one image, and pushing the first into an empty array reserves room for seventeen.
        if (images.length === 0) images = [imageAt(waiting, next)];
        else images.push(imageAt(waiting, next));
        next += 1;
      }
      views.push({
        line,
        serial: page.serial[at] ?? '',
        name: page.name[at] ?? '',
        cells: page.cells[at] ?? null,
        images,
      });
    }
    yield views;
  }
}

/** Images named one by one, or uploaded: each is a row; its serial is its position unless its product says another. */
async function* loosePages({ db }: Uses<'db'>, batchId: string, slots: Images): AsyncGenerator<ProductView[]> {
  for await (const page of slots) {
    const lines = page.line.filter((line) => line !== null);
    const { rows } = await sql<ProductRow>`
      select line, serial, name, cells from products where batch_id = ${batchId} and line = any(${lines}::int[])`.execute(
      db.query,
    );
    const products = new Map(rows.map((row) => [row.line, row]));
    yield page.position.map((position, at): ProductView => {
      const product = products.get(page.line[at] ?? -1);
      const serial = product?.serial || String(position);
      const name = product?.name ?? page.name[at] ?? '';
      return { line: position, serial, name, cells: null, images: [imageAt(page, at)] };
    });
  }
}

function imageAt({ input, state, code, file }: Columns<ImageRow>, at: number): ProductView['images'][number] {
  return { input: input[at]!, state: state[at]!, errorCode: code[at]!, file: file[at]! };
}

function productColumns({ db }: Uses<'db'>, batchId: string): AsyncGenerator<Columns<ProductRow>> {
  return pagesAhead('line', async (after) => {
    const { rows } = await sql<Columns<ProductRow>>`
      select json_agg(line) as line, json_agg(serial) as serial, json_agg(name) as name, json_agg(cells) as cells
      from (
        select line, serial, name, cells from products where batch_id = ${batchId} and line > ${after}
        order by line limit ${rowsAtOnce}) page
      having count(*) > 0`.execute(db.query);
    return rows[0];
  });
}

function imageColumns({ db }: Uses<'db'>, batchId: string, rendition: string): Images {
  return pagesAhead('position', async (after) => {
    const { rows } = await sql<Columns<ImageRow>>`
      select json_agg(line) as line, json_agg(position) as position, json_agg(input) as input, json_agg(name) as name,
        json_agg(state) as state, json_agg(error_code) as code, json_agg(file) as file
      from (
        select i.line, i.position, coalesce(i.source_url, i.name, '') as input, i.name, i.state, i.error_code, r.file
        from images i
        left join renditions r on r.image_id = i.id and r.name = ${rendition}
        where i.batch_id = ${batchId} and i.position > ${after}
        order by i.position limit ${rowsAtOnce}) page
      having count(*) > 0`.execute(db.query);
    return rows[0];
  });
}

/** Pages until one is not full, the next one asked for before this one is handed out. `key` orders them. */
async function* pagesAhead<Key extends string, Page extends Record<Key, number[]>>(
  key: Key,
  read: (after: number) => Promise<Page | undefined>,
): AsyncGenerator<Page> {
  for (let coming = read(-1); ;) {
    const page = await coming;
    if (!page) return;
    const isLast = page[key].length < rowsAtOnce;
    if (!isLast) coming = read(page[key].at(-1) ?? -1);
    // Whoever reads may leave, or take long over this page: a failure is theirs only when they come for the next.
    coming.catch(() => {});
    yield page;
    if (isLast) return;
  }
}

export type StoredFile = {
  name: string;
  kind: FileKind;
  mediaType: string;
  bytes: number;
  sha256: Buffer;
  createdAt: Date;
};

/** The file of that name; a file that is being removed is gone already. */
export async function findFile({ db }: Uses<'db'>, name: string): Promise<StoredFile | undefined> {
  const row = await db.query
    .selectFrom('files')
    .selectAll()
    .where('name', '=', name)
    .where('gone_at', 'is', null)
    .executeTakeFirst();
  if (!row) return undefined;
  const { kind, media_type, bytes, sha256, created_at } = row;
  return { name, kind, mediaType: media_type, bytes, sha256, createdAt: created_at };
}
