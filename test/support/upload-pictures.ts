// upload-pictures.ts — pictures as people upload them, made here; and the forms in which they come.

import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import type { Served } from './served.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** A photo: noise, so that no encoder makes it vanish. Made once for each size. */
export async function photoOf(width: number, height: number, format: 'jpeg' | 'png' | 'webp' = 'jpeg'): Promise<Bytes> {
  const noise = { type: 'gaussian', mean: 128, sigma: 20 } as const;
  const key = `${width}x${height}.${format}`;
  const drawn = sharp({ create: { width, height, channels: 3, background: '#777', noise } });
  const made = photos.get(key) ?? drawn[format]({ quality: 80 }).toBuffer();
  photos.set(key, made);
  return Uint8Array.from(await made);
}
const photos = new Map<string, Promise<Buffer>>();

/** A PNG that is half transparent. */
export async function glass(width: number, height: number): Promise<Bytes> {
  const background = { r: 200, g: 60, b: 20, alpha: 0.5 };
  return Uint8Array.from(
    await sharp({ create: { width, height, channels: 4, background } })
      .png()
      .toBuffer(),
  );
}

export const file = (bytes: Bytes | string, name: string): File =>
  new File([bytes], name, { type: 'application/octet-stream' });

/** Sends the parts in this order; a field may come several times. */
export async function sendParts(
  served: Pick<Served, 'ask'>,
  path: string,
  parts: [field: string, value: File | string][],
  headers: Record<string, string> = {},
) {
  const body = new FormData();
  for (const [field, value] of parts) body.append(field, value);
  return served.ask(path, { method: 'POST', body, headers });
}

/**
 * Sends a form as a client does that is told to come again later: a machine that runs many tests at once may be overloaded,
 * and a server that says so before the form is through may cut the connection. The key makes that harmless.
 */
export async function sendPatiently(url: string, form: () => FormData): Promise<{ answer: Response; putOff: number }> {
  const headers = { 'idempotency-key': randomUUID() };
  for (let putOff = 0; ; putOff++) {
    const answer = await fetch(url, { method: 'POST', body: form(), headers }).catch(() => undefined);
    const isLater = answer === undefined || answer.status === 503 || answer.status === 409;
    if (answer && !isLater) return { answer, putOff };
    if (putOff > 30) throw new Error(`${url} put the upload off for half a minute`);
    await answer?.body?.cancel();
    await sleep(1000);
  }
}

/** The pictures that README A names, where it names them. */
export async function writeReadmePictures(folder: string): Promise<void> {
  const pictures = [
    ['IMG_3284.jpg', await photoOf(3000, 2000)],
    ['IMG_4841.webp', await photoOf(1200, 800, 'webp')],
  ] as const;
  for (const [name, bytes] of pictures) {
    const path = join(folder, 'svelte-app/src/lib/assets', name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, bytes);
  }
}
