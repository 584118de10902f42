// stretch.ts — gives a picture exactly the sides asked for, whatever becomes of its ratio.

import { flag, size } from '../arguments.ts';
import { operation } from './operation.ts';
import { fitIfOneSide, scalesOneUp } from '../sizing.ts';

export const stretch = operation({
  name: 'stretch',
  release: 1,
  kind: 'geometry',
  rank: 8,
  group: 'size',
  summary: 'Scales each side on its own to exactly the box.',
  examples: ['stretch:800x600'],
  aliases: ['force'],
  args: { size: size(), enlarge: flag({ default: true }) },
  becomes: fitIfOneSide,
  box: (input, { width = 1, height = 1, enlarge }) =>
    enlarge ? { width, height } : { width: Math.min(width, input.width), height: Math.min(height, input.height) },
  enlarges: scalesOneUp,
  apply: (image, { width, height, enlarge }) =>
    image.resize({ width, height, fit: 'fill', withoutEnlargement: !enlarge }),
});
