// boxes.ts — how large a result will be, before any pixel is touched.
//
// Output size is limited although input pixels are: a 1x1 source may ask for 8192 x 8192, and in AVIF that takes 1.6 GB.

import type { Output, Step } from './imaging.ts';
import { operations } from './operations/index.ts';
import type { Box, Drawn, Reason } from './operations/operation.ts';

const drawn = new Map(
  operations.flatMap((each) =>
    each.kind === 'geometry' || each.kind === 'pixels' ? [[each.name, each] as const] : [],
  ),
);

/** The operation of a step. A recipe holds nothing but steps that the grammar has read. */
export function operationOf(step: Step): Drawn {
  const found = drawn.get(step.op);
  if (!found) throw new Error(`no operation ${step.op}`);
  return found;
}

/** False for a step that a newer release has read. */
export const isKnownStep = ({ op }: Step): boolean => drawn.has(op);

/** Size of the result from the size of the upright source; null where only the pixels tell. */
export function outputBox(ops: readonly Step[], source: Box): Box | null {
  return boxes(ops, source).at(-1) ?? null;
}

/** By how many pixels a side may honestly differ from {@link outputBox}: sharp rounds, and what follows scales that up. */
export function outputSlack(ops: readonly Step[], source: Box): number {
  const sizes = [source, ...boxes(ops, source)];
  return ops.reduce((slack, _, step) => {
    const [before, after] = [sizes[step], sizes[step + 1]];
    if (!before || !after) return slack;
    const grows = Math.max(after.width, after.height) / Math.min(before.width, before.height);
    return before === after ? slack : 1 + Math.ceil(slack * Math.max(1, grows));
  }, 0);
}

/** Sides of the picture as people see it: EXIF orientations 5 to 8 lie on their side. */
export function uprightBox({ width, height, orientation }: Box & { orientation: number }): Box {
  return orientation >= 5 ? { width: height, height: width } : { width, height };
}

/** The largest number of pixels a result of this format may have. */
export const maxOutputPixels = (format: string): number => (format === 'avif' ? 16e6 : 50e6);

/** What is too large about a result or one of its steps: the box and the limit in words. */
export function tooLarge(
  recipe: { ops: readonly Step[]; out: Pick<Output, 'format'> },
  source: Box,
  maxOutputSide: number,
): { width: number; height: number; limit: string } | undefined {
  const pixels = maxOutputPixels(recipe.out.format);
  for (const box of boxes(recipe.ops, source)) {
    if (!box) continue;
    if (Math.max(box.width, box.height) > maxOutputSide) return { ...box, limit: `${maxOutputSide} a side` };
    if (box.width * box.height > pixels) return { ...box, limit: `${pixels / 1e6} megapixels` };
  }
  return undefined;
}

/** The first operation that a source of this size does not allow, and why. */
export function impossibleStep(ops: readonly Step[], source: Box): { step: number; reason: Reason } | undefined {
  const sizes = [source, ...boxes(ops, source)];
  for (const [step, each] of ops.entries()) {
    const before = sizes[step];
    const reason = before ? operationOf(each).impossible?.(before, each) : undefined;
    if (reason) return { step, reason };
  }
  return undefined;
}

function boxes(ops: readonly Step[], source: Box): (Box | null)[] {
  const all: (Box | null)[] = [source];
  for (const step of ops) {
    const before = all.at(-1) ?? null;
    const { box, impossible } = operationOf(step);
    // Behind what cannot be done no size means anything.
    if (before && impossible?.(before, step)) all.push(null);
    else all.push(box && before ? box(before, step) : before);
  }
  // The source itself is judged by its own limits; without operations it is also the result.
  return ops.length === 0 ? all : all.slice(1);
}
