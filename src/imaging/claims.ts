// claims.ts — reads what a child claims, and throws `Untrue` where an honest child could not have said it.

import { type Problem, problem, type ProblemFacts } from '../problem.ts';
import { type Box, reasons } from './operations/operation.ts';
import type { Format, Rendered } from './imaging.ts';
import { formats, type ResultFormat } from './kinds.ts';
import type { Frame } from './protocol.ts';
import { recognise } from './signatures.ts';

/** Thrown when a frame cannot be what our own code would send. */
export class Untrue extends Error {
  override readonly name = 'Untrue';
}

export type Header = {
  format: Format;
  width: number;
  height: number;
  frames: number;
  alpha: boolean;
  orientation: number;
};

const warningNames = [
  'kept_original',
  'larger_than_source',
  'format_substituted',
  'animation_dropped',
  'alpha_flattened',
  'quality_ignored',
  'crop_clamped',
  'upscaled',
  'profile_invalid',
  'target_not_reached',
];

/** The header of the source. */
export function readHeader({ header, bytes }: Frame, id: string, format: Format): Header {
  const { type, width, height, frames, alpha, orientation } = header;
  if (type !== 'header' || header.id !== id || header.format !== format || bytes > 0)
    throw new Untrue('no header of this image');
  const side = 2 ** 31;
  if (!isWhole(width, 1, side) || !isWhole(height, 1, side) || !isWhole(frames, 1, side) || !isWhole(orientation, 1, 8))
    throw new Untrue('impossible sizes in the header');
  return { format, width, height, frames, alpha: alpha === true, orientation };
}

/** What the child does now. */
export function readStage({ header, bytes }: Frame, id: string): 'decode' | 'transform' | 'encode' {
  const { doing } = header;
  if (header.id !== id || bytes > 0) throw new Untrue('a stage of another image');
  if (doing !== 'decode' && doing !== 'transform' && doing !== 'encode') throw new Untrue('an unknown stage');
  return doing;
}

/** A rendition, whose name, format and box the parent knows beforehand. */
export function readRendition(
  { header, payload, bytes }: Frame,
  due: { id: string; name: string; format: ResultFormat; box: Box | null; slack: number },
): Rendered {
  const { width, height, quality, keptOriginal, warnings } = header;
  if (header.id !== due.id || header.name !== due.name || header.format !== due.format)
    throw new Untrue('another rendition than the one due');
  if (!isWhole(width, 1, 16_384) || !isWhole(height, 1, 16_384)) throw new Untrue('impossible sizes of a rendition');
  const { box, slack } = due;
  if (box && (Math.abs(width - box.width) > slack || Math.abs(height - box.height) > slack))
    throw new Untrue(`${width}x${height} instead of ${box.width}x${box.height}`);
  const seen = recognise(Buffer.concat(payload.slice(0, 2)).subarray(0, 64));
  if (seen.kind !== 'picture' || seen.format !== due.format) throw new Untrue('bytes of another format');
  if (quality !== null && !isWhole(quality, 1, 100)) throw new Untrue('an impossible quality');
  const { score = null, encodes = 1 } = header;
  if (score !== null && !(typeof score === 'number' && score >= 0 && score <= 1))
    throw new Untrue('an impossible score');
  if (!isWhole(encodes, 1, 100)) throw new Untrue('an impossible number of tries');
  const { extension, mediaType } = formats[due.format];
  const { name, format } = due;
  const kept = keptOriginal === true;
  return {
    name,
    format,
    extension,
    mediaType,
    width,
    height,
    body: payload,
    bytes,
    quality,
    score,
    encodes,
    keptOriginal: kept,
    warnings: known(warnings),
  };
}

/** The Problem of a picture that the child refused. `detail` is for the log and never shown. */
export function readFailure(
  { header }: Frame,
  id: string,
  { format, maxOutputSide }: { format: Format; maxOutputSide: number },
): Problem {
  if (header.id !== id) throw new Untrue('a failure of another image');
  const facts = { cause: new Error(String(header.detail).slice(0, 500)) };
  const { step, reason, width, height } = (header.facts ?? {}) as Record<string, unknown>;
  switch (header.code) {
    case 'corrupt_image':
    case 'decode_memory':
      return problem(header.code, {}, facts);
    case 'unsupported_format':
      return problem('unsupported_format', { format: `Such ${format.toUpperCase()}` }, facts);
    case 'output_too_large':
      if (!isWhole(width, 1, 1e9) || !isWhole(height, 1, 1e9)) throw new Untrue('impossible sizes of a result');
      return problem('output_too_large', { width, height, limit: limitOf({ width, height }, maxOutputSide) }, facts);
    case 'transform_failed':
      return transformFailed({ step: isWhole(step, 0, 100) ? step : undefined, reason }, facts);
    default:
      throw new Untrue(`an unknown code ${String(header.code)}`);
  }
}

const limitOf = ({ width, height }: Box, maxOutputSide: number): string =>
  Math.max(width, height) > maxOutputSide ? `${maxOutputSide} a side` : '50 megapixels (16 in AVIF)';

/** Why an operation could not be applied, from a closed list of reasons. */
export function transformFailed(
  { step, reason }: { step: number | undefined; reason: unknown },
  facts: ProblemFacts = {},
): Problem {
  const operation = step === undefined ? 'The operations' : `Operation ${step + 1}`;
  const why = reason === 'outside' ? reasons.outside : 'the picture does not allow it';
  return problem('transform_failed', { operation, reason: why }, facts);
}

function known(warnings: unknown): string[] {
  if (!Array.isArray(warnings)) throw new Untrue('warnings that are no list');
  const strange = warnings.find((each) => !warningNames.includes(each as string));
  if (strange !== undefined || warnings.length > warningNames.length) throw new Untrue('an unknown warning');
  return warnings as string[];
}

function isWhole(value: unknown, min: number, max: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
}
