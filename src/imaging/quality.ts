// quality.ts — how alike two pictures look, from 0 to 1, and which quality usually gives which likeness.
//
// Multi-scale SSIM on lightness, judged by the worst twentieth of the picture: the eye goes where it looks bad. Parts that
// are flat in both pictures do not count, or a product on white could be pressed harder than the same product alone.

import type { EffortName } from './efforts.ts';
import type { ResultFormat } from './kinds.ts';

export type Plane = { data: Uint8Array | Float32Array; width: number; height: number };

const [c1, c2] = [6.5025, 58.5225];
const side = 8;
const stride = 4;
const flatVariance = 4;
const leastWindows = 20;
const worstShare = 0.05;
const exponents = [0.3, 0.4, 0.3];

/** The likeness of `other` to `reference`, lightness planes of one size; undefined where there is nothing to judge by. */
export function likeness(reference: Plane, other: Plane): number | undefined {
  let [a, b] = [reference, other];
  let score = 1;
  for (const [scale, exponent] of exponents.entries()) {
    const windows = windowScores(a, b);
    if (windows.length < leastWindows) return scale === 0 ? undefined : score;
    windows.sort();
    score *= Math.max(0, windows[Math.floor(worstShare * windows.length)]!) ** exponent;
    [a, b] = [halved(a), halved(b)];
  }
  return score;
}

/** SSIM of each window in which at least one of the two is not flat. */
function windowScores(a: Plane, b: Plane): Float64Array {
  const scores: number[] = [];
  for (let top = 0; top + side <= a.height; top += stride)
    for (let left = 0; left + side <= a.width; left += stride) {
      const score = windowScore(a, b, left, top);
      if (score !== undefined) scores.push(score);
    }
  return Float64Array.from(scores);
}

function windowScore(a: Plane, b: Plane, left: number, top: number): number | undefined {
  let [sumA, sumB, sumAA, sumBB, sumAB] = [0, 0, 0, 0, 0];
  for (let y = top; y < top + side; y++)
    for (let at = y * a.width + left, end = at + side; at < end; at++) {
      const [va, vb] = [a.data[at]!, b.data[at]!];
      sumA += va;
      sumB += vb;
      sumAA += va * va;
      sumBB += vb * vb;
      sumAB += va * vb;
    }
  const n = side * side;
  const [meanA, meanB] = [sumA / n, sumB / n];
  const [varA, varB] = [sumAA / n - meanA * meanA, sumBB / n - meanB * meanB];
  if (varA < flatVariance && varB < flatVariance) return undefined;
  const both = sumAB / n - meanA * meanB;
  return ((2 * meanA * meanB + c1) * (2 * both + c2)) / ((meanA * meanA + meanB * meanB + c1) * (varA + varB + c2));
}

function halved({ data, width, height }: Plane): Plane {
  const [w, h] = [width >> 1, height >> 1];
  const half = new Float32Array(w * h);
  for (let y = 0; y < h; y++)
    for (let x = 0; x < w; x++) {
      const at = 2 * y * width + 2 * x;
      half[y * w + x] = (data[at]! + data[at + 1]! + data[at + width]! + data[at + width + 1]!) / 4;
    }
  return { data: half, width: w, height: h };
}

/** Median likeness of photos at a quality, measured: pairs of quality and score. */
const measured: Readonly<Record<'jpeg' | 'jpeg small' | 'webp' | 'avif', readonly (readonly [number, number])[]>> = {
  jpeg: [
    [30, 0.894],
    [40, 0.917],
    [50, 0.931],
    [60, 0.941],
    [70, 0.953],
    [76, 0.96],
    [82, 0.968],
    [86, 0.974],
    [90, 0.982],
    [94, 0.987],
  ],
  'jpeg small': [
    [30, 0.849],
    [40, 0.881],
    [50, 0.903],
    [60, 0.92],
    [70, 0.938],
    [76, 0.948],
    [82, 0.959],
    [86, 0.966],
    [90, 0.976],
    [94, 0.985],
  ],
  webp: [
    [20, 0.842],
    [30, 0.886],
    [40, 0.907],
    [50, 0.924],
    [60, 0.935],
    [70, 0.944],
    [78, 0.953],
    [84, 0.968],
    [90, 0.98],
    [95, 0.988],
  ],
  avif: [
    [30, 0.777],
    [40, 0.864],
    [50, 0.928],
    [55, 0.944],
    [60, 0.955],
    [65, 0.962],
    [70, 0.971],
    [75, 0.976],
    [80, 0.981],
    [88, 0.99],
  ],
};

export type Curve = { qualityFor(score: number): number; scoreAt(quality: number): number };

/** What an encoder usually gives. Beyond the ends of what was measured the last slope goes on. */
export function curveOf(format: Exclude<ResultFormat, 'png'>, effort: EffortName): Curve {
  const points = measured[format === 'jpeg' && effort === 'small' ? 'jpeg small' : format];
  return {
    qualityFor: (score) =>
      along(
        points.map(([quality, at]) => [at, quality]),
        score,
      ),
    scoreAt: (quality) => along(points, quality),
  };
}

function along(points: readonly (readonly [number, number])[], x: number): number {
  const above = points.findIndex(([from]) => from > x);
  const next = above < 0 ? points.length - 1 : Math.max(1, above);
  const [[x0, y0], [x1, y1]] = [points[next - 1]!, points[next]!];
  return y0 + ((x - x0) * (y1 - y0)) / (x1 - x0);
}
