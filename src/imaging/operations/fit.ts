// fit.ts — shrinks a picture until it fits into a box.

import { flag, size } from '../arguments.ts';
import { fitted, isBentOnLoad, scalesBothUp } from '../sizing.ts';
import { operation } from './operation.ts';

export const fit = operation({
  name: 'fit',
  release: 1,
  kind: 'geometry',
  rank: 8,
  group: 'size',
  summary: 'Scales to fit inside the box and keeps the ratio; smaller pictures stay as they are.',
  examples: ['fit:800x600', 'fit:1500x', 'fit:x600:enlarge=true'],
  aliases: ['inside', 'max'],
  shorthands: { w: 'width', h: 'height' },
  args: { size: size(), enlarge: flag({ default: false }) },
  // With one side to go by, a thin strip may become endlessly long.
  needsBox: ({ width, height, enlarge }) => enlarge && (width === undefined || height === undefined),
  box: fitted,
  whole: fitted,
  enlarges: scalesBothUp,
  apply: (image, values, { box, shrinksOnLoad, exactly }) =>
    exactly || (shrinksOnLoad && isBentOnLoad(box, values))
      ? image.resize({ ...fitted(box, values), fit: 'fill' })
      : image.resize({
          width: values.width,
          height: values.height,
          fit: 'inside',
          withoutEnlargement: !values.enlarge,
        }),
});
