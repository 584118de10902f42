// peer-guard.ts — the guard between two engines: they may encode differently, but must have done the same work.
//
// Dimensions agree within the pixel by which engines round. Where the size stays as it was, the luma must be as near to
// the source on both sides, within 0.3 dB: a side that gives away quality is no faster for it.

import { readFile } from 'node:fs/promises';
import { parse } from 'node:path';
import sharp from 'sharp';
import { psnr, type Output } from './quality.ts';
import type { Stage } from './stage.ts';

type Photo = { name: string; path: string };
export type Likeness = {
  /** The first difference that is too large. */
  fault: string | undefined;
  /** Of all pictures together. */
  bytes: { ours: number; theirs: number };
  /** Of Darkroom's results, the sources it kept because encoding would have enlarged them. */
  kept: number;
  /** Mean over a few pictures, in dB. */
  psnr?: { ours: number; theirs: number };
};

const mostDecibels = 0.3;
/** A PSNR costs as much as encoding; so many pictures are enough for a mean. */
const sample = 8;

/** Compares the results of both by name. With `samePixels` the PSNR of both against the source, too. */
export async function guardAlike(
  stage: Pick<Stage, 'corpus'>,
  ours: Output[],
  theirs: Output[],
  samePixels: boolean,
): Promise<Likeness> {
  const likeness: Likeness = { fault: undefined, bytes: { ours: 0, theirs: 0 }, kept: 0 };
  const sides = { ours: byName(ours), theirs: byName(theirs) };
  const compared: (Photo & { ours: Buffer; theirs: Buffer })[] = [];
  for (const { name, path, bytes } of stage.corpus.photos) {
    const stem = parse(name).name;
    const [one, other] = [sides.ours.get(stem), sides.theirs.get(stem)];
    if (!one || !other) return { ...likeness, fault: `${stem} is missing ${one ? 'at the peer' : 'at Darkroom'}` };
    likeness.fault ??= await sizeFault(stem, one, other);
    likeness.bytes.ours += one.length;
    likeness.bytes.theirs += other.length;
    // The source host adds a few bytes behind the last of the picture.
    if (one.length >= bytes) likeness.kept++;
    else compared.push({ name, path, ours: one, theirs: other });
  }
  if (!samePixels || likeness.fault) return likeness;
  const decibels = await meanPsnr(compared);
  const difference = Math.abs(decibels.ours - decibels.theirs);
  if (difference > mostDecibels) likeness.fault = `luma differs by ${difference.toFixed(2)} dB`;
  return { ...likeness, psnr: decibels };
}

const byName = (outputs: Output[]) => new Map(outputs.map(({ name, body }) => [name, body]));

async function sizeFault(name: string, one: Buffer, other: Buffer): Promise<string | undefined> {
  const [a, b] = await Promise.all([sharp(one).metadata(), sharp(other).metadata()]);
  const isAlike = Math.abs(a.width - b.width) <= 1 && Math.abs(a.height - b.height) <= 1 && a.channels === b.channels;
  const told = [a, b].map(({ width, height, channels }) => `${width}x${height}x${channels}`);
  return isAlike ? undefined : `${name} is ${told[0]} here and ${told[1]} there`;
}

/** Sources with a colour profile are left out: it is applied here and dropped there. */
async function meanPsnr(pictures: (Photo & { ours: Buffer; theirs: Buffer })[]) {
  const sums = { ours: 0, theirs: 0, count: 0 };
  for (const { path, ours, theirs } of pictures) {
    if (sums.count === sample) break;
    const source = await readFile(path);
    const { icc, format } = await sharp(source).metadata();
    if (icc || format !== 'jpeg') continue;
    const [one, other] = await Promise.all([psnr(ours, source), psnr(theirs, source)]);
    sums.ours += one;
    sums.theirs += other;
    sums.count++;
  }
  return { ours: sums.ours / sums.count, theirs: sums.theirs / sums.count };
}
