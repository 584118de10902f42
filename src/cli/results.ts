// results.ts — puts the results of `darkroom process` where the caller can see them: the CSV, its images, what is left.
//
// `--out shop/out.csv` gives shop/out.csv, the images in shop/out/, and shop/out.failed.csv when something is left. Images
// are named after their place in the catalog, <row>-<url>.<extension>, and the CSV names them relative to itself. Every
// file appears whole: it is written under another name and then renamed.

import { chmod, mkdir, rm } from 'node:fs/promises';
import { dirname, extname, join, parse } from 'node:path';
import { Readable } from 'node:stream';
import type { Uses } from '../app.ts';
import { productPages } from '../batches/read-output.ts';
import type { Batch, ImageState, ProductView } from '../batches/model.ts';
import type { OutputForm, OutputRow, OutputSlot } from '../catalogs/catalog.ts';
import { standardDialect } from '../catalogs/dialect.ts';
import { writeRows } from '../catalogs/write.ts';
import { keyOf } from '../storage/storage.ts';
import type { Places } from './places.ts';
import { writeWhole } from './whole.ts';

type Told = { image(row: number, product: ProductView, index: number, path: string | null): void };

/** Writes everything; `rest` counts the rows that hold an image without a result. */
export async function writeResults(
  app: Uses<'db' | 'storage'>,
  batch: Batch,
  places: Places,
  told: Told,
): Promise<{ rest: number }> {
  await mkdir(places.images, { recursive: true });
  await chmod(places.images, 0o755);
  const folder = encodeURIComponent(parse(places.images).base);
  let rest = 0;
  async function* rows(): AsyncGenerator<OutputRow[]> {
    let row = 0;
    for await (const page of productPages(app, batch)) {
      const written: OutputRow[] = [];
      for (const product of page) {
        row += 1;
        if (product.images.some((image) => image.state !== 'succeeded')) rest += 1;
        written.push(await rowOf(app, { product, row, folder, images: places.images }, told));
      }
      yield written;
    }
  }
  await writeCsv(places.csv, batch, 'original', rows());
  if (rest > 0) await writeCsv(places.failed, batch, 'failed', failedRows(app, batch));
  else await rm(places.failed, { force: true });
  return { rest };
}

async function rowOf(
  app: Uses<'storage'>,
  { product, row, folder, images }: { product: ProductView; row: number; folder: string; images: string },
  told: Told,
): Promise<OutputRow> {
  const slots: OutputSlot[] = [];
  for (const [index, image] of product.images.entries()) {
    const name = image.file === null ? null : `${row}-${index + 1}${extname(image.file)}`;
    if (name !== null && image.file !== null) await copyOut(app, image.file, join(images, name));
    const path = name === null ? null : `${folder}/${name}`;
    told.image(row, product, index, path);
    slots.push({ state: slotState(image.state), url: path, code: image.errorCode });
  }
  return { ...cellsOf(product), slots };
}

/** The rows to process again hold no results, so no file is copied for them. */
async function* failedRows(app: Uses<'db'>, batch: Batch): AsyncGenerator<OutputRow[]> {
  for await (const page of productPages(app, batch, { failedOnly: true }))
    yield page.map((product) => ({
      ...cellsOf(product),
      slots: product.images.map(({ state, errorCode }) => ({ state: slotState(state), url: null, code: errorCode })),
    }));
}

function cellsOf({ serial, name, cells, images }: ProductView): Omit<OutputRow, 'slots'> {
  const inputs = images.map((image) => image.input);
  return { cells: cells ?? [serial, name, inputs.join(',')], serial, name, inputs };
}

const slotState = (state: ImageState): OutputSlot['state'] =>
  state === 'succeeded' || state === 'failed' || state === 'canceled' ? state : 'pending';

async function writeCsv(path: string, batch: Batch, form: OutputForm, rows: AsyncIterable<OutputRow[]>): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeWhole(path, Readable.from(writeRows(rows, { dialect: batch.dialect ?? standardDialect, form })));
}

async function copyOut({ storage }: Uses<'storage'>, file: string, path: string): Promise<void> {
  const stored = await storage.open(keyOf(file));
  if (!stored) throw new Error(`the result ${file} is not in storage`);
  await writeWhole(path, stored.body);
}
