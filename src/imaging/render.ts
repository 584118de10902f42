// render.ts — runs a recipe on one source: passes, encoder, and the promise that nothing becomes larger.
//
// Lives in the sandbox child. sharp comes in as an argument, because child.ts alone may load it.

import { cleanCopy, isLossyWebp } from './clean.ts';
import { blamed, drawn, type Drawing, handedOver, isGrey, type SourceInChild, sourceOptions } from './draw.ts';
import { encoded, encodedAgain, ignoresQuality, isPalette, qualityOf } from './encode.ts';
import { profileOf } from './efforts.ts';
import type { Output, Recipe } from './imaging.ts';
import { lumaTableSum, writtenTableSum } from './jpeg-file.ts';
import { resultFormat, type ResultFormat } from './kinds.ts';
import { bringsAlpha, planPasses } from './plan.ts';
import type { Doing } from './protocol.ts';
import type { RawPixels } from './raw.ts';
import { type Found, isSearched, searched } from './search.ts';

export type Result = {
  body: Buffer;
  format: ResultFormat;
  width: number;
  height: number;
  quality: number | null;
  score?: number | null;
  encodes?: number;
  keptOriginal: boolean;
  warnings: string[];
};
export type Work = Drawing & {
  tell: (doing: Doing) => void;
  /** The whole picture, already scaled for the first operation. */
  start?: RawPixels | undefined;
};
type Encoded = Pick<Found, 'body' | 'width' | 'height'> & Partial<Pick<Found, 'quality' | 'score' | 'encodes'>>;

/** One rendition of the source. Throws `Refused`, or what sharp throws. */
export async function render(work: Work): Promise<Result> {
  const { source, recipe } = work;
  const { header } = source;
  const format = resultFormat(recipe.out.format, header);
  const warnings = warningsBefore(recipe, header, format);
  const quality = format === 'png' && !isPalette(recipe.out) ? null : qualityOf(format, recipe.out);
  const guarded = recipe.ops.length === 0 && header.format === format;
  if (guarded && isAlreadyCoarse(source.bytes, recipe.out, format)) {
    const copy = cleanCopyOf(source);
    if (copy && (await opensAlike(work, copy))) {
      work.tell('decode');
      await proveWhole(work, copy);
      return keptCopy(copy, format, header, warnings);
    }
  }
  const made = await encodedResult(work, format);
  const said = [...new Set([...warnings, ...work.warnings])];
  const result = { quality, ...made, format, keptOriginal: false, warnings: said };
  if (!guarded) return result;
  const copy = cleanCopyOf(source);
  if (copy && copy.length <= made.body.length && (await opensAlike(work, copy)))
    return keptCopy(copy, format, header, warnings);
  if (made.body.length > source.bytes.length) result.warnings.push('larger_than_source');
  return result;
}

function warningsBefore(recipe: Recipe, header: SourceInChild['header'], format: ResultFormat): string[] {
  const canBeTransparent = header.alpha || recipe.ops.some(bringsAlpha);
  return [
    ...(recipe.out.format === 'keep' && header.format !== format ? ['format_substituted'] : []),
    ...(header.frames > 1 && (header.format === 'gif' || header.format === 'webp' || header.format === 'png')
      ? ['animation_dropped']
      : []),
    ...(format === 'jpeg' && canBeTransparent ? ['alpha_flattened'] : []),
    ...(ignoresQuality(format, recipe.out) ? ['quality_ignored'] : []),
  ];
}

/** The source without metadata. None for pictures that a copy would show differently. */
function cleanCopyOf({ header, bytes }: SourceInChild): Buffer | null {
  if (header.orientation > 1 || header.frames > 1 || header.space === 'cmyk') return null;
  return cleanCopy(header.format, bytes);
}

async function opensAlike({ open, source }: Work, copy: Buffer): Promise<boolean> {
  const opened = await open(copy, { limitInputPixels: false })
    .metadata()
    .catch(() => undefined);
  return opened?.width === source.header.width && opened.height === source.header.height;
}

/** True when coding anew could only lose: the source was pressed at least as hard as we would. */
function isAlreadyCoarse(bytes: Buffer, out: Output, format: ResultFormat): boolean {
  if (format !== 'jpeg' || isSearched(format, out)) return false;
  const sum = lumaTableSum(bytes);
  return sum !== null && sum >= writtenTableSum(qualityOf('jpeg', out), profileOf(out.effort) === 'small');
}

/** Reads every coded byte at an eighth of the size: a truncated picture must not pass as a copy. */
async function proveWhole({ open, limits }: Work, copy: Buffer): Promise<void> {
  await open(copy, sourceOptions(limits)).resize(16, 16, { fit: 'fill' }).raw().toBuffer();
}

function keptCopy(body: Buffer, format: ResultFormat, header: SourceInChild['header'], warnings: string[]): Result {
  const { width, height } = header;
  return { body, format, width, height, quality: null, keptOriginal: true, warnings: [...warnings, 'kept_original'] };
}

async function encodedResult(work: Work, format: ResultFormat): Promise<Encoded> {
  const { source, recipe } = work;
  const { alpha, orientation, space } = source.header;
  const flattens = format === 'jpeg' && (alpha || recipe.ops.some(bringsAlpha));
  const passes = planPasses(recipe.ops, { flattens, turned: !work.start && orientation > 1, space });
  const last = passes.pop()!;
  let pixels = work.start;
  for (const pass of passes) {
    work.tell('transform');
    pixels = await blamed(pixels, () => handedOver(drawn(work, pass, pixels, false)));
  }
  work.tell('encode');
  const origin = { lossy: isLossySource(source) };
  if (isSearched(format, recipe.out)) {
    const start = await blamed(pixels, () => handedOver(drawn(work, last, pixels, true), spaceOf(recipe, source)));
    const tell = () => work.tell('encode');
    return blamed(start, () => searched({ work, pixels: start, format, out: recipe.out, origin, tell }));
  }
  const whole = { resolveWithObject: true } as const;
  const { data, info } = await blamed(pixels, async () => {
    const image = drawn(work, last, pixels, true);
    const again = encodedAgain(image, format, recipe.out);
    const first = await encoded(image, format, recipe.out, origin).toBuffer(whole);
    const second = await again?.toBuffer(whole);
    return second && second.data.length < first.data.length ? second : first;
  });
  return { body: data, width: info.width, height: info.height };
}

/** Grey without transparency stays one channel on its way to the encoder. */
function spaceOf({ ops }: Recipe, source: SourceInChild): 'b-w' | 'srgb' {
  const grey = ops.length === 0 ? isGrey(source) : ops.at(-1)?.op === 'grayscale';
  return grey && !source.header.alpha && !ops.some(bringsAlpha) ? 'b-w' : 'srgb';
}

function isLossySource({ header, bytes }: SourceInChild): boolean {
  if (header.format === 'webp') return isLossyWebp(bytes);
  return header.format === 'jpeg' || header.format === 'avif';
}
