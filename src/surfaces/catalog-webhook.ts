// catalog-webhook.ts — what B and C tell a webhook receiver: the status body with the products, flat as in the seeds.
//
// Large batches get `truncated` instead of products: a receiver that wants all of them fetches the CSV. README B's
// receivers may ask for a form with the CSV as its file.

import { randomUUID } from 'node:crypto';
import type { Uses } from '../app.ts';
import { productPages } from '../batches/read-output.ts';
import type { Batch, ProductView } from '../batches/model.ts';
import type { WebhookBody } from '../notify/notify.ts';
import { statusBody } from './batch-words.ts';
import { outputCsv } from './catalog-output.ts';

const most = { images: 100, bytes: 20 * 1024 };

/** The body of the webhook of a catalog batch, as JSON or as a form. */
export async function catalogWebhook(app: Uses<'db' | 'config'>, batch: Batch, format: string): Promise<WebhookBody> {
  return format === 'multipart' ? formBody(app, batch) : jsonBody(app, batch);
}

async function jsonBody(app: Uses<'db' | 'config'>, batch: Batch): Promise<WebhookBody> {
  const status = await statusBody(app, batch);
  const whole = batch.counts.total <= most.images ? { ...status, products: await productsOf(app, batch) } : undefined;
  const text = whole && JSON.stringify(whole);
  const fits = text !== undefined && Buffer.byteLength(text) <= most.bytes;
  const body = Buffer.from(fits ? text : JSON.stringify({ ...status, truncated: true }));
  return { contentType: 'application/json', body };
}

async function productsOf(app: Uses<'db' | 'config'>, batch: Batch) {
  const base = `${app.config.publicUrl}/processed_images`;
  const products = [];
  for await (const page of productPages(app, batch)) {
    for (const product of page) products.push(productBody(product, base));
    // Rows without a single URL are not bounded by the number of images.
    if (products.length > most.images * 5) break;
  }
  return products;
}

function productBody({ serial, name, images }: ProductView, base: string) {
  return {
    serial_number: serial,
    product_name: name,
    input_image_urls: images.map(({ input }) => input),
    output_image_urls: images.map(({ file }) => (file === null ? null : `${base}/${file}`)),
  };
}

async function formBody(app: Uses<'db' | 'config'>, batch: Batch): Promise<WebhookBody> {
  const { request_id: id, status } = await statusBody(app, batch);
  const boundary = `darkroom-${randomUUID()}`;
  const part = (headers: string) => Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; ${headers}\r\n\r\n`);
  const chunks = [part('name="request_id"'), line(id), part('name="status"'), line(status)];
  chunks.push(part(`name="file"; filename="output_${id}.csv"\r\nContent-Type: text/csv; charset=utf-8`));
  for await (const block of outputCsv(app, batch, { form: 'seed', excel: false, folder: '/processed_images' }))
    chunks.push(block);
  chunks.push(Buffer.from(`\r\n--${boundary}--\r\n`));
  return { contentType: `multipart/form-data; boundary=${boundary}`, body: Buffer.concat(chunks) };
}

const line = (text: string): Buffer => Buffer.from(`${text}\r\n`);
