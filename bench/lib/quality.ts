// quality.ts — the guard: a side that did less work has no speed.
//
// Ours must give, to the byte, what the hand-written sharp gives with the same settings. Pictures whose source was kept
// by the never-larger rule are counted apart: there the product did not encode, so equality means something else.

import { createHash } from 'node:crypto';
import sharp from 'sharp';

/** `sourceBytes` is known of reference outputs. */
export type Output = { name: string; body: Buffer; sourceBytes?: number };
export type Guard = { ok: boolean; identical: number; kept: number; faults: string[]; bytes: number };

/** Compares our outputs with the reference's by name. Every reference must have been answered. */
export async function guardIdentical(ours: Output[], reference: Output[]): Promise<Guard> {
  const byName = new Map(ours.map((each) => [each.name, each]));
  const guard: Guard = { ok: true, identical: 0, kept: 0, faults: [], bytes: 0 };
  for (const expected of reference) {
    const got = byName.get(expected.name);
    const fault = got ? await difference(got, expected) : 'is missing';
    guard.bytes += got?.body.length ?? 0;
    // The never-larger rule keeps a source that encoding would not shrink: then only the size can be compared.
    const maybeKept = expected.body.length >= (expected.sourceBytes ?? Infinity);
    if (maybeKept && got && !fault?.startsWith('is ')) guard.kept++;
    else if (fault) guard.faults.push(`${expected.name} ${fault}`);
    else guard.identical++;
  }
  guard.ok = guard.faults.length === 0;
  return guard;
}

async function difference(got: Output, expected: Output): Promise<string | undefined> {
  if (digest(got.body) === digest(expected.body)) return undefined;
  const [a, b] = await Promise.all([sharp(got.body).metadata(), sharp(expected.body).metadata()]);
  if (a.width !== b.width || a.height !== b.height) return `is ${a.width}x${a.height}, expected ${b.width}x${b.height}`;
  return `differs (${got.body.length} against ${expected.body.length} bytes, ${(await psnr(got.body, expected.body)).toFixed(1)} dB)`;
}

/** Peak signal-to-noise ratio of the luma of two pictures of one size, in dB; Infinity when they are equal. */
export async function psnr(a: Buffer, b: Buffer): Promise<number> {
  const [left, right] = await Promise.all([luma(a), luma(b)]);
  if (left.length !== right.length) throw new Error('psnr: the pictures differ in size');
  let squares = 0;
  for (let i = 0; i < left.length; i++) squares += ((left[i] ?? 0) - (right[i] ?? 0)) ** 2;
  return squares === 0 ? Infinity : 10 * Math.log10((255 * 255 * left.length) / squares);
}

async function luma(picture: Buffer): Promise<Buffer> {
  return sharp(picture)
    .autoOrient()
    .flatten({ background: '#ffffff' })
    .grayscale()
    .toColourspace('b-w')
    .raw()
    .toBuffer();
}

const digest = (body: Buffer): string => createHash('sha256').update(body).digest('hex');
