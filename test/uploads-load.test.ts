// uploads-load.test.ts — many people upload at the same time, and one sends a photo as cameras make them.
//
// Nothing here is timed: what a machine takes for it is printed, and the test asks only that everybody gets a picture.

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import sharp from 'sharp';
import { emptyPostgres, onEachDatabase } from './support/databases.ts';
import { openStandalone, type Standalone } from './support/standalone.ts';
import { file, photoOf, sendPatiently } from './support/upload-pictures.ts';

type Row = { id: string; status: string; image: string | null };

/** Starts the product as its users do, on the engine. */
async function openProduct(engine: 'pglite' | 'postgres'): Promise<Standalone> {
  const database = engine === 'postgres' ? await emptyPostgres() : undefined;
  const product = await openStandalone({ DARKROOM_DISK_FLOOR: '1mb', ...(database && { DATABASE_URL: database.url }) });
  return {
    ...product,
    async [Symbol.asyncDispose]() {
      await product[Symbol.asyncDispose]();
      await database?.drop();
    },
  };
}

async function upload(url: string, picture: File) {
  const { answer, putOff } = await sendPatiently(`${url}/api/upload`, () => {
    const form = new FormData();
    form.append('image', picture);
    return form;
  });
  return { status: answer.status, row: (await answer.json()) as Row, putOff };
}

/** How long /health took meanwhile: for whoever reads the log. */
async function watchHealth(url: string, signal: AbortSignal): Promise<{ p99: number; count: number }> {
  const waits: number[] = [];
  while (!signal.aborted) {
    const before = performance.now();
    await (await fetch(`${url}/health`)).text();
    waits.push(performance.now() - before);
    await sleep(20);
  }
  return { p99: waits.toSorted((a, b) => a - b)[Math.floor(waits.length * 0.99)] ?? 0, count: waits.length };
}

const listed = async (url: string) => (await (await fetch(`${url}/api/list`)).json()) as Row[];

onEachDatabase((engine) => {
  describe('a started server', () => {
    test('takes 200 uploads at once, and all end completed', { timeout: 120_000 }, async () => {
      await using product = await openProduct(engine);
      const photo = await photoOf(320, 200);
      const stop = new AbortController();
      const watched = watchHealth(product.url, stop.signal);
      // Each has bytes of its own, or the first result would serve them all.
      const pictures = Array.from({ length: 200 }, (_, n) => file(Uint8Array.from([...photo, n]), `${n}.jpg`));
      const answers = await Promise.all(pictures.map((picture) => upload(product.url, picture)));
      const ids = new Set(answers.map(({ row }) => row.id));
      await expect
        .poll(async () => (await listed(product.url)).filter(({ status }) => status !== 'completed'), {
          timeout: 60_000,
          interval: 200,
        })
        .toEqual([]);
      stop.abort();
      const { p99, count } = await watched;
      const putOff = answers.reduce((sum, answer) => sum + answer.putOff, 0);
      const waited = answers.filter(({ status }) => status === 200).length;
      console.log(
        `${engine}: 200 uploads at once, ${waited} answered with their result, ${putOff} times put off; ` +
          `/health p99 ${p99.toFixed(0)} ms of ${count}`,
      );
      expect(answers.filter(({ status }) => status !== 200 && status !== 202)).toEqual([]);
      expect(ids.size).toBe(200);
      expect(new Set((await listed(product.url)).map(({ id }) => id))).toEqual(ids);
    });

    test('answers a photo of 12 megapixels with its result', { timeout: 60_000 }, async () => {
      await using product = await openProduct(engine);
      const { status, row } = await upload(product.url, file(await photoOf(4000, 3000), 'IMG_0001.JPG'));
      expect({ status, row }).toMatchObject({ status: 200, row: { status: 'completed' } });
      const result = await fetch(product.url + String(row.image));
      const { width, height } = await sharp(Buffer.from(await result.arrayBuffer())).metadata();
      expect([width, height]).toEqual([1500, 1125]);
    });
  });
});
