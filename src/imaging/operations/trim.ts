// trim.ts — cuts off a border of one colour.

import { color, decimal, optional } from '../arguments.ts';
import { hex } from '../sizing.ts';
import { operation } from './operation.ts';

export const trim = operation({
  name: 'trim',
  release: 1,
  kind: 'geometry',
  rank: 4,
  summary: 'Cuts off edges that look like the top left pixel, or like bg. A picture of one colour stays as it is.',
  examples: ['trim', 'trim:30', 'trim:bg=ffffff'],
  args: { threshold: decimal({ min: 0, max: 255, default: 10 }), bg: optional(color({ default: 'ffffff' })) },
  needsBox: () => true,
  // sharp would look at the corner of the picture as it is stored, and compare colours in the space it is stored in.
  needsPlain: ({ bg }, { turned, space }) => turned || !(space === 'srgb' || (space === 'b-w' && !bg)),
  box: () => null,
  // What is smaller than 3x3 has no border that could be told from noise, and libvips refuses it.
  apply: (image, { threshold, bg }, { box }) =>
    box.width < 3 || box.height < 3 ? image : image.trim({ threshold, ...(bg ? { background: hex(bg) } : {}) }),
});
