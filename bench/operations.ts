// operations.ts — the operations that are measured: as Darkroom's pipeline, and as the sharp a person would write.
//
// The bare form never imports the product's planner: a superfluous pass there must show up as a ratio instead of hiding
// on both sides. Both must give the same bytes (lib/quality.ts), so the settings stand here side by side.
// Results are JPEG whatever the source was: a palette PNG costs 250 ms a megapixel, and six of those would bury the
// cost of the service under the cost of one encoder, in our favour.

import type { Sharp, SharpOptions } from 'sharp';

export type Effort = 'fast' | 'balanced' | 'small';
export type Operation = {
  /** As in the rows: a, f (a at effort fast), b, c. */
  key: string;
  what: string;
  pipeline: string;
  effort: Effort;
  /** How often the corpus is gone through in one lap, so that a lap has at least two CPU-seconds. */
  passes: number;
  extension: string;
  apply: (image: Sharp) => Sharp;
};

/** As the product opens a picture, for bytes that may be hostile. */
export const openOptions: SharpOptions = { failOn: 'error', limitInputPixels: 50_000_000, sequentialRead: true };

const jpeg = (quality: number, effort: Effort) => (image: Sharp) =>
  image.jpeg({ quality, optimiseCoding: effort !== 'fast', mozjpeg: effort === 'small' });

const compress = (key: string, effort: Effort): Operation => ({
  key,
  what: `(a) ${effort}`,
  pipeline: 'compress:50/jpeg',
  effort,
  passes: 1,
  extension: 'jpg',
  apply: jpeg(50, effort),
});

const fit = (key: string, output: string, effort: Effort, encode: (image: Sharp) => Sharp): Operation => ({
  key,
  what: key === 'b' ? '(b)' : `fit, ${output}`,
  pipeline: `fit:800x600/${output}`,
  effort,
  passes: 2,
  extension: output.startsWith('jpeg') ? 'jpg' : output,
  apply: (image) => encode(image.resize({ width: 800, height: 600, fit: 'inside', withoutEnlargement: true })),
});

const thumbnail: Operation = {
  key: 'c',
  what: '(c)',
  pipeline: 'resize:100x100/grayscale/jpeg:80',
  effort: 'balanced',
  passes: 2,
  extension: 'jpg',
  apply: (image) =>
    jpeg(80, 'balanced')(image.resize({ width: 100, height: 100, fit: 'cover' }).grayscale().toColourspace('b-w')),
};

/** The three operations of the rows, (a) at both efforts, and those that `limit` alone knows. */
export const operations: Operation[] = [
  compress('a', 'balanced'),
  compress('f', 'fast'),
  fit('b', 'jpeg:80', 'balanced', jpeg(80, 'balanced')),
  thumbnail,
  compress('small', 'small'),
  fit('webp', 'webp', 'balanced', (image) => image.webp({ quality: 82, effort: 2 })),
  fit('avif', 'avif', 'balanced', (image) => image.avif({ quality: 65, effort: 2 })),
];

/** The operations of a `--op` and `--effort`; (a) at `fast` is `f`, at `small` is `small`. */
export function chooseOperations(keys: string[], efforts: string[]): Operation[] {
  const wanted = keys.flatMap((key) => (key === 'a' ? efforts.map((effort) => ofEffort(effort)) : [key]));
  return wanted.map((key) => {
    const found = operations.find((each) => each.key === key);
    if (!found) throw new Error(`There is no operation "${key}": ${operations.map((each) => each.key).join(', ')}`);
    return found;
  });
}

function ofEffort(effort: string): string {
  return ({ balanced: 'a', fast: 'f' } as Record<string, string>)[effort] ?? effort;
}

/** White under what is transparent, as the product does when the result cannot hold it. */
export const paper = '#ffffff';
