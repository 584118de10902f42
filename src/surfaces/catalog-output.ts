// catalog-output.ts — a batch as CSV, streamed page by page: for /download, /v1 and the multipart webhook.

import { Readable } from 'node:stream';
import type { Uses } from '../app.ts';
import type { Dialect, OutputForm, OutputRow, OutputSlot } from '../catalogs/catalog.ts';
import { writeRows } from '../catalogs/write.ts';
import type { Batch, ImageState, ProductView } from '../batches/model.ts';
import { productPages } from '../batches/read-output.ts';
import { sendHead } from '../http/files.ts';
import { attachment } from '../http/headers.ts';
import type { Answering, Ask } from '../http/http.ts';

export type OutputOptions = {
  /** `long`: a line for each image, in three standard columns and ours. */
  form: OutputForm | 'long';
  excel: boolean;
  /** Folder of result links: /processed_images or /v1/files. */
  folder: string;
};

/** How a batch that never was a CSV is written. */
const plainDialect: Dialect = {
  encoding: 'utf-8',
  bom: false,
  delimiter: ',',
  newline: '\r\n',
  fullQuotes: false,
  header: ['S. No.', 'Product Name', 'Input Image Urls'],
  hasHeader: true,
  ownColumns: 0,
  serial: 0,
  name: 1,
  urls: 2,
};

/** The file in blocks. */
export function outputCsv(app: Uses<'db' | 'config'>, batch: Batch, options: OutputOptions): AsyncIterable<Buffer> {
  const { form, excel, folder } = options;
  const base = `${app.config.publicUrl}${folder}`;
  if (form === 'long') {
    const rows = linePerImage(outputRows(app, batch, base, 'seed'));
    return writeRows(rows, { dialect: plainDialect, form: 'original', excel });
  }
  return writeRows(outputRows(app, batch, base, form), { dialect: batch.dialect ?? plainDialect, form, excel });
}

/** Sends the CSV as an attachment. A fault in the middle breaks the connection: a short file must not look whole. */
export function sendCsv(app: Uses<'db' | 'config'>, request: Ask, reply: Answering, batch: Batch, o: OutputOptions) {
  const name = `${o.form === 'failed' ? 'failed' : 'output'}_${batch.id}.csv`;
  reply.type('text/csv; charset=utf-8').header('content-disposition', attachment(name));
  if (request.method === 'HEAD') return sendHead(reply);
  return reply.send(Readable.from(outputCsv(app, batch, o), { objectMode: false }));
}

async function* outputRows(app: Uses<'db'>, batch: Batch, base: string, form: OutputForm): AsyncGenerator<OutputRow[]> {
  for await (const page of productPages(app, batch, { failedOnly: form === 'failed' }))
    yield page.map((product) => outputRow(product, base, form));
}

function outputRow({ serial, name, cells, images }: ProductView, base: string, form: OutputForm): OutputRow {
  const inputs = images.map((image) => image.input);
  const slots = images.map(({ state, errorCode, file }) => ({
    state: slotState(state),
    url: file === null ? null : `${base}/${file}`,
    code: errorCode,
  }));
  // The seed form says nothing but what these say.
  const own = form === 'seed' ? [] : (cells ?? [serial, name, inputs.join(',')]);
  return { cells: own, serial, name, inputs, slots };
}

/** A product without images keeps a line, so that no product is missing from the file. */
async function* linePerImage(pages: AsyncIterable<OutputRow[]>): AsyncGenerator<OutputRow[]> {
  for await (const page of pages)
    yield page.flatMap(({ serial, name, inputs, slots }) => {
      const line = (input: string, own: OutputSlot[]) => {
        return { cells: [serial, name, input], serial, name, inputs: [input], slots: own };
      };
      return slots.length === 0 ? [line('', [])] : slots.map((slot, index) => line(inputs[index] ?? '', [slot]));
    });
}

function slotState(state: ImageState): OutputSlot['state'] {
  return state === 'succeeded' || state === 'failed' || state === 'canceled' ? state : 'pending';
}
