// The process is killed at random moments over running catalogs; nothing acknowledged is lost, nothing done twice is seen.
//
// DARKROOM_TEST_KILLS=50 makes the long run.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { openDatabase } from '../src/db/open.ts';
import { seedDataDir, silent } from './support/databases.ts';
import { openGallery, type Gallery } from './support/gallery.ts';
import { freePort, startProduct } from './support/product.ts';
import { openReceiver } from './support/receiver.ts';

const kills = Number(process.env.DARKROOM_TEST_KILLS ?? 4);
const rowsPerCatalog = 120;
const isMissing = (n: number) => n % 10 === 7;

async function submitCatalog(
  url: string,
  gallery: Gallery,
  webhook: string,
  from: number,
): Promise<string | undefined> {
  const rows = Array.from({ length: rowsPerCatalog }, (_, n) => `${n + 1},P${n + 1},${gallery.url(from + n)}`);
  const form = new FormData();
  form.set('file', new Blob([['S. No.,Product Name,Input Image Urls', ...rows].join('\n')]), 'catalog.csv');
  form.set('webhook_url', webhook);
  const answer = await fetch(`${url}/upload`, { method: 'POST', body: form }).catch(() => undefined);
  if (!answer?.ok) return undefined;
  const { request_id: id } = (await answer.json()) as { request_id: string };
  return id;
}

test(`survives ${kills} kills of the only process`, { timeout: 60_000 + kills * 20_000 }, async () => {
  await using gallery = await openGallery({ missing: isMissing, delayMs: 20 });
  await using receiver = await openReceiver(() => ({ status: 200 }));
  const dataDir = await mkdtemp(join(tmpdir(), 'darkroom-crash-'));
  await seedDataDir(dataDir);
  const env = { DARKROOM_ALLOW_HOSTS: `${gallery.host},${receiver.host}`, DARKROOM_LOG_LEVEL: 'warn' };
  const options = { dataDir, port: await freePort(), env };
  const acknowledged: string[] = [];

  let product = await startProduct(options);
  for (let round = 0; round < kills; round += 1) {
    const id = await submitCatalog(product.url, gallery, receiver.url, round * rowsPerCatalog);
    if (id) acknowledged.push(id);
    await sleep(Math.random() * 2_500);
    await product.end('SIGKILL');
    product = await startProduct(options);
  }
  expect(acknowledged.length).toBe(kills);

  type Status = { status: string; total_images: number; processed_images: number; failed_images: number };
  for (const id of acknowledged) {
    const status = () => fetch(`${product.url}/status/${id}`).then((answer) => answer.json() as Promise<Status>);
    await expect
      .poll(async () => (await status()).status, { timeout: 60_000 + kills * 3_000, interval: 100 })
      .toBe('completed');
    expect(await status()).toMatchObject({ total_images: 120, processed_images: 108, failed_images: 12 });
    const csv = await fetch(`${product.url}/download/${id}`).then((answer) => answer.text());
    const outputs = csv
      .trim()
      .split('\r\n')
      .slice(1)
      .map((line) => line.split(',')[3] ?? '');
    expect(outputs.filter(Boolean).length).toBe(108);
    const first = await fetch(outputs.find(Boolean)!.replace(/^https?:\/\/[^/]+/, product.url));
    expect(first.status).toBe(200);
    expect((await first.bytes()).length).toBe(Number(first.headers.get('content-length')));
  }
  await expect.poll(() => webhookIds(receiver.calls).size, { timeout: 30_000 }).toBe(kills);
  expect(await product.end('SIGTERM')).toBe(0);
  await using db = await openEmbedded(dataDir);
  const { rows } = await db.toldTwice();
  expect(rows).toEqual([]);
  await rm(dataDir, { recursive: true, force: true });
});

function webhookIds(calls: { headers: Record<string, unknown> }[]): Set<unknown> {
  return new Set(calls.map((call) => call.headers['webhook-id']));
}

/** Opens the directory of a stopped product and looks into its journal. */
async function openEmbedded(dataDir: string) {
  const { sql } = await import('kysely');
  const db = await openDatabase({ url: '', dataDir, pool: 1, log: silent });
  return {
    toldTwice: () =>
      sql`select image from events, unnest(images) as image group by image, batch_id, generation having count(*) > 1`.execute(
        db.query,
      ),
    [Symbol.asyncDispose]: () => db.close(),
  };
}
