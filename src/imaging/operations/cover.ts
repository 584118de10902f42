// cover.ts — fills a box exactly and crops what stands over.

import { flag, place, size } from '../arguments.ts';
import { operation } from './operation.ts';
import { covered, fitIfOneSide, position, scalesOneUp } from '../sizing.ts';

export const cover = operation({
  name: 'cover',
  release: 1,
  kind: 'geometry',
  rank: 8,
  group: 'size',
  crops: true,
  summary: 'Fills the box exactly; what stands over is cropped.',
  examples: ['cover:400x400', 'cover:400x300:at=top'],
  aliases: ['thumbnail', 'thumb', 'fill'],
  args: { size: size(), at: place(), enlarge: flag({ default: true }) },
  becomes: fitIfOneSide,
  box: (input, { width = 1, height = 1, enlarge }) =>
    enlarge ? { width, height } : { width: Math.min(width, input.width), height: Math.min(height, input.height) },
  whole: covered,
  enlarges: scalesOneUp,
  apply: (image, { width, height, at, enlarge }) =>
    image.resize({ width, height, fit: 'cover', position: position(at), withoutEnlargement: !enlarge }),
});
