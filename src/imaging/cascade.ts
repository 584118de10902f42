// cascade.ts — several renditions of one picture: which is made from which, and in what order.
//
// Decoding is most of the work, so it is done once: the whole picture is scaled for the largest rendition, and what came
// out is scaled again for the smaller ones. Only from twice the size on, where a direct way gives the same to the eye. The
// parent knows this order too, and takes renditions in no other.

import { operationOf } from './boxes.ts';
import type { Recipe } from './imaging.ts';
import type { Box } from './operations/operation.ts';

export type Stair = {
  /** Which of the renditions. */
  index: number;
  /** The whole picture, scaled for this rendition; absent = it is made from the source. */
  whole?: Box;
  /** The stair whose picture it is scaled from; absent = the source. */
  from?: number;
  /** The last stair that still needs this one's picture; absent = none does. */
  until?: number;
};

const leastRatio = 2;
/** What is handed down stays in memory. */
const maxPixels = 16e6;

/** The renditions in the order in which they are made. */
export function planCascade(renditions: readonly { recipe: Recipe }[], source: Box): Stair[] {
  const wholes = renditions.map(({ recipe }) => shrunk(recipe, source));
  const order = [...renditions.keys()].toSorted((a, b) => area(wholes[b]) - area(wholes[a]) || a - b);
  const stairs: Stair[] = order.map((index) => ({ index }));
  for (const [at, stair] of stairs.entries()) {
    const whole = wholes[stair.index];
    if (!whole) continue;
    // They stand in order of size, so the last that is large enough is the smallest.
    const from = stairs.findLastIndex(({ index }, above) => above < at && canHandDown(wholes[index], whole));
    if (from < 0) continue;
    Object.assign(stair, { whole, from });
    Object.assign(stairs[from]!, { whole: wholes[stairs[from]!.index], until: at });
  }
  return stairs;
}

/** The whole picture as the first operation scales it, when that makes it smaller. */
function shrunk({ ops: [first] }: Recipe, source: Box): Box | undefined {
  const whole = first && operationOf(first).whole?.(source, first);
  return whole && whole.width < source.width && whole.height < source.height ? whole : undefined;
}

function canHandDown(large: Box | undefined, small: Box): boolean {
  if (!large || area(large) > maxPixels) return false;
  // Both were rounded to whole pixels: 533 is twice 267.
  return large.width + 1 >= leastRatio * small.width && large.height + 1 >= leastRatio * small.height;
}

const area = (box: Box | undefined): number => (box ? box.width * box.height : 0);
