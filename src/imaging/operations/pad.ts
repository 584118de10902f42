// pad.ts — fits a picture into a box and fills the rest with a colour.

import { color, flag, place, size } from '../arguments.ts';
import { operation } from './operation.ts';
import { fitIfOneSide, fitted, hex, isColored, isTranslucent, position, scalesBothUp } from '../sizing.ts';

export const pad = operation({
  name: 'pad',
  release: 1,
  kind: 'geometry',
  rank: 8,
  group: 'size',
  crops: true,
  summary: 'Fits inside the box and fills the rest with a colour, so that the box is exact.',
  examples: ['pad:800x800', 'pad:800x800:bg=transparent'],
  aliases: ['contain'],
  args: { size: size(), bg: color({ default: 'ffffff' }), at: place(), enlarge: flag({ default: true }) },
  becomes: fitIfOneSide,
  box: (_input, { width = 1, height = 1 }) => ({ width, height }),
  whole: fitted,
  bringsColor: ({ bg }) => isColored(bg),
  bringsAlpha: ({ bg }) => isTranslucent(bg),
  enlarges: scalesBothUp,
  apply: (image, { width, height, bg, at, enlarge }) =>
    image.resize({
      width,
      height,
      fit: 'contain',
      background: hex(bg),
      position: position(at),
      withoutEnlargement: !enlarge,
    }),
});
