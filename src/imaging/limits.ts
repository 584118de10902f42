// limits.ts — how large a source may be, told from its header before any pixel is decoded.

import { problem, type Problem } from '../problem.ts';
import type { Picture } from './imaging.ts';

export type SourceLimits = { maxPixels: number; maxSide: number };

const maxFrames = 500;
const maxFramePixels = 100e6;
/** An AVIF of 7000 x 7000 in 1.4 kB took 860 MB. */
const maxAvifPixels = 16e6;

/** What is too large about this source. */
export function sourceTooLarge(source: Omit<Picture, 'mediaType'>, limits: SourceLimits): Problem | undefined {
  const { format, width, height, frames } = source;
  const pixels = format === 'avif' ? Math.min(limits.maxPixels, maxAvifPixels) : limits.maxPixels;
  // A 41-byte PNG 786,464 wide took 1.28 GB: area alone is no measure.
  if (Math.max(width, height) > limits.maxSide)
    return problem('side_too_long', { width, height, limit: `${limits.maxSide} a side` });
  if (width * height > pixels)
    return problem('too_many_pixels', { width, height, limit: `${pixels / 1e6} megapixels` });
  if (frames > maxFrames) return problem('too_many_frames', { frames, limit: maxFrames });
  if (frames > 1 && frames * width * height > maxFramePixels)
    return problem('too_many_frames', { frames, limit: `${maxFramePixels / 1e6} megapixels in all` });
  return undefined;
}
