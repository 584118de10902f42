// draw.ts — runs passes: from the source's bytes or from pixels, to an image that waits for its encoder or to new pixels.
//
// Lives in the sandbox child. sharp comes in as an argument, because child.ts alone may load it.

import type { Sharp, SharpOptions } from 'sharp';
import { operationOf, tooLarge, uprightBox } from './boxes.ts';
import type { Format, Recipe, Step } from './imaging.ts';
import type { Box } from './operations/operation.ts';
import { bringsColor, type Pass } from './plan.ts';
import type { HeaderFrame } from './protocol.ts';
import type { RawPixels } from './raw.ts';
import { Refused, refusalOf } from './refused.ts';

export type OpenSharp = (input: Buffer, options: SharpOptions) => Sharp;
export type SourceInChild = {
  header: Omit<HeaderFrame, 'type' | 'id'> & { format: Format; space: string };
  bytes: Buffer;
  /** Set when one of our own readers has read the picture. */
  raw?: RawPixels;
};
export type Limits = { maxPixels: number; maxOutputSide: number };
export type Drawing = {
  open: OpenSharp;
  source: SourceInChild;
  recipe: Recipe;
  limits: Limits;
  /** What is worth telling about what was done. */
  warnings: Set<string>;
};

/** One pass, on the source or on pixels. */
export function drawn(work: Drawing, pass: Pass, before: RawPixels | undefined, last: boolean): Sharp {
  const { open, source, limits, recipe } = work;
  const pixels = before ?? source.raw;
  const image = pixels ? open(pixels.data, rawOptions(pixels)) : open(source.bytes, sourceOptions(limits));
  watchProfile(image, work.warnings);
  if (isGrey(source) && (pixels?.channels ?? 1) < 3 && bringsColor(pass)) image.pipelineColourspace('srgb');
  const shrinksOnLoad = !pixels && source.header.format === 'jpeg';
  const [first] = pass.steps;
  let box: Box | null = pixels ?? uprightBox(source.header);
  refuseTooLarge(recipe, first ? recipe.ops.indexOf(first) : -1, box, limits);
  return pass.steps.reduce((drawing, step, index) => {
    const operation = operationOf(step);
    const at = recipe.ops.indexOf(step);
    if (box) judge(operation, step, { box, at, warnings: work.warnings });
    // The plan begins a new pass where an operation must know the box, so there it is known.
    const done = operation.apply(drawing, step, {
      last,
      box: box ?? { width: 1, height: 1 },
      shrinksOnLoad,
      exactly: pass.steps.slice(index + 1).some((each) => operationOf(each).needsBox?.(each)),
    });
    if (box && operation.box) box = operation.box(box, step);
    return done;
  }, image);
}

type Judging = { box: Box; at: number; warnings: Set<string> };

function judge(operation: ReturnType<typeof operationOf>, step: Step, { box, at, warnings }: Judging): void {
  const reason = operation.impossible?.(box, step);
  if (reason) throw new Refused('transform_failed', `operation ${at + 1}: ${reason}`, { step: at, reason });
  if (operation.clamps?.(box, step)) warnings.add('crop_clamped');
  if (operation.enlarges?.(box, step)) warnings.add('upscaled');
}

/** The parent has checked what it could foresee; after a trim the sides are known only here. */
function refuseTooLarge({ ops, out }: Recipe, from: number, box: Box, { maxOutputSide }: Limits): void {
  const rest = from < 0 ? [] : ops.slice(from);
  const found = rest.length > 0 ? tooLarge({ ops: rest, out }, box, maxOutputSide) : undefined;
  if (found) throw new Refused('output_too_large', 'foreseen after a trim', found);
}

/** A pass that reads the source fails by the source's fault; one on pixels, by that of the operations. */
export async function blamed<T>(before: RawPixels | undefined, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw refusalOf(error, before === undefined);
  }
}

/** 8 bit with the real number of channels: a grey picture would lose its alpha on this way. */
export async function handedOver(image: Sharp, space: 'srgb' | 'b-w' = 'srgb'): Promise<RawPixels> {
  const { data, info } = await image.toColourspace(space).raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height, channels: info.channels };
}

/**
 * The whole picture scaled to `box`, from the source or from pixels that were scaled before. Grey stays one channel, as
 * it would without this step.
 */
export async function scaledWhole(work: Drawing, box: Box, from: RawPixels | undefined): Promise<RawPixels> {
  const { source } = work;
  const image = drawn({ ...work, recipe: { ...work.recipe, ops: [] } }, { steps: [] }, from, false);
  return handedOver(image.resize({ ...box, fit: 'fill' }), isGrey(source) && !source.header.alpha ? 'b-w' : 'srgb');
}

export const isGrey = ({ header }: SourceInChild): boolean => /^(?:b-w|grey16)$/.test(header.space);

function watchProfile(image: Sharp, warnings: Set<string>): void {
  image.on('warning', (text: unknown) => /profile/i.test(String(text)) && warnings.add('profile_invalid'));
}

// `failOn: 'warning'` would refuse many JPEGs that browsers show; truncation is refused either way.
export const sourceOptions = ({ maxPixels }: Pick<Limits, 'maxPixels'>): SharpOptions => ({
  autoOrient: true,
  failOn: 'error',
  limitInputPixels: maxPixels,
  limitInputChannels: 5,
  sequentialRead: true,
});

const rawOptions = ({ width, height, channels }: RawPixels): SharpOptions => ({
  // Readers and passes give 1 to 4 channels, which is what the type asks for.
  raw: { width, height, channels: channels as 1 | 2 | 3 | 4 },
  limitInputPixels: false,
});
