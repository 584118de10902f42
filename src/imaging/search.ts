// search.ts — finds the quality that looks good enough, or is small enough.
//
// A search starts from what encoders usually give, never from other images: a result is a function of its source and its
// recipe. Each try is encoded from the same pixels, decoded again and compared with them.

import { type Drawing, handedOver, sourceOptions } from './draw.ts';
import { encoded, type Origin } from './encode.ts';
import { defaultQuality, type EffortName, profileOf } from './efforts.ts';
import type { Output } from './imaging.ts';
import type { ResultFormat } from './kinds.ts';
import { curveOf, likeness, type Plane } from './quality.ts';
import type { RawPixels } from './raw.ts';

export type Found = {
  body: Buffer;
  width: number;
  height: number;
  quality: number | null;
  /** Likeness to the picture before it was encoded; null where nobody asked or nothing can be said. */
  score: number | null;
  encodes: number;
};
type Search = {
  work: Pick<Drawing, 'open' | 'limits' | 'warnings'>;
  pixels: RawPixels;
  format: ResultFormat;
  out: Output;
  origin: Origin;
  tell: () => void;
};

const [lowest, highest] = [20, 96];
const [mayMiss, mayExceed] = [0.002, 0.005];
const mostEncodes = 4;
const damping = 0.95;
const planePixels = 1e6;

/** True when this result is to be searched for. PNG and lossless pictures have no quality to look for. */
export function isSearched(format: ResultFormat, out: Output): boolean {
  return out.maxBytes !== undefined || (out.target !== undefined && hasQuality(format, out));
}

const hasQuality = (format: ResultFormat, out: Output): boolean => format !== 'png' && out.lossless !== true;

/** The result that `target` and `max-bytes` ask for, or the best there is. */
export async function searched(search: Search): Promise<Found> {
  const { format, out } = search;
  const isGood = out.target !== undefined && hasQuality(format, out);
  const best = isGood ? await reachTarget(search, out.target!) : await tryAt(search, out.quality ?? null);
  if (out.maxBytes === undefined || best.body.length <= out.maxBytes) return best;
  const small = await keepBelow(search, out.maxBytes, best);
  if (small.body.length > out.maxBytes) search.work.warnings.add('target_not_reached');
  return small;
}

/** The smallest of a few tries that looks as good as asked. */
async function reachTarget(search: Search, target: number): Promise<Found> {
  const { format, out, work } = search;
  const curve = curveOf(format as 'jpeg' | 'webp' | 'avif', profileOf(out.effort) satisfies EffortName);
  const reference = await planeOf(search, search.pixels);
  const tries: (Found & { quality: number; score: number })[] = [];
  let quality = withinBounds(curve.qualityFor(target));
  while (tries.length < mostEncodes && !tries.some((each) => each.quality === quality)) {
    const made = await tryAt(search, quality);
    const score = likeness(reference, await planeOf(search, await decoded(search, made.body)));
    // A flat graphic has nothing to judge by; it is written as usual.
    if (score === undefined) return tryAt(search, defaultQuality[format]);
    tries.push({ ...made, quality, score, encodes: tries.length + 1 });
    if (score >= target - mayMiss && score <= target + mayExceed) break;
    quality = withinBounds(curve.qualityFor(target - damping * (score - curve.scoreAt(quality))));
  }
  const good = tries.filter(({ score }) => score >= target - mayMiss).toSorted((a, b) => a.body.length - b.body.length);
  if (!good[0]) work.warnings.add('target_not_reached');
  const best = good[0] ?? tries.toSorted((a, b) => b.score - a.score)[0]!;
  return { ...best, score: Math.round(best.score * 1e4) / 1e4, encodes: tries.length };
}

/** Below so many bytes: first by quality, then by size. */
async function keepBelow(search: Search, maxBytes: number, first: Found): Promise<Found> {
  let { encodes } = first;
  let best = first;
  if (hasQuality(search.format, search.out)) {
    // The best quality below the limit lies between a low that may fit and a high that does not.
    let [low, high] = [Math.min(30, first.quality ?? 95), first.quality ?? 95];
    best = await tryAt(search, low);
    for (encodes++; best.body.length <= maxBytes && high - low > 1; encodes++) {
      const middle = (low + high) >> 1;
      const made = await tryAt(search, middle);
      if (made.body.length <= maxBytes) [low, best] = [middle, made];
      else high = middle;
    }
  }
  let { pixels } = search;
  const quality = best.quality;
  while (best.body.length > maxBytes && Math.max(pixels.width, pixels.height) > 1 && encodes < 30) {
    const scale = Math.min(0.95, Math.sqrt(maxBytes / best.body.length));
    pixels = await shrunk(search, scale, pixels);
    best = await tryAt({ ...search, pixels }, quality);
    encodes++;
  }
  return { ...best, score: null, encodes };
}

async function tryAt(search: Search, quality: number | null): Promise<Found> {
  const { work, pixels, format, out, origin, tell } = search;
  tell();
  const image = opened(work, pixels);
  const asked = quality === null ? out : { ...out, quality };
  const { data, info } = await encoded(image, format, asked, origin).toBuffer({ resolveWithObject: true });
  const written = hasQuality(format, out) ? (asked.quality ?? defaultQuality[format]) : null;
  return { body: data, width: info.width, height: info.height, quality: written, score: null, encodes: 1 };
}

async function shrunk({ work, pixels: all }: Search, scale: number, { width, height }: RawPixels): Promise<RawPixels> {
  const box = { width: Math.max(1, Math.floor(width * scale)), height: Math.max(1, Math.floor(height * scale)) };
  return handedOver(opened(work, all).resize({ ...box, fit: 'fill' }), all.channels === 1 ? 'b-w' : 'srgb');
}

async function decoded({ work }: Search, body: Buffer): Promise<RawPixels> {
  return handedOver(work.open(body, sourceOptions(work.limits)));
}

/** Lightness, on white, of at most a megapixel. */
async function planeOf({ work }: Search, pixels: RawPixels): Promise<Plane> {
  const { width, height } = pixels;
  const scale = Math.min(1, Math.sqrt(planePixels / (width * height)));
  const box = { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
  const image = opened(work, pixels)
    .flatten({ background: '#ffffff' })
    .resize({ ...box, fit: 'fill' });
  const { data } = await handedOver(image, 'b-w');
  return { data, ...box };
}

const opened = ({ open }: Pick<Drawing, 'open'>, { data, width, height, channels }: RawPixels) =>
  open(data, { raw: { width, height, channels: channels as 1 | 2 | 3 | 4 }, limitInputPixels: false });

const withinBounds = (quality: number): number => Math.max(lowest, Math.min(highest, Math.round(quality)));
