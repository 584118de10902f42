// grayscale.ts — takes the colour out.

import { operation } from './operation.ts';

export const grayscale = operation({
  name: 'grayscale',
  release: 1,
  kind: 'pixels',
  rank: 7,
  // sharp greys before it scales. Both ways differ by 0.3 levels on average, and a thumbnail stays one pass.
  commutesWithSize: true,
  summary: 'Takes the colour out; the result has one channel where its format can hold one.',
  examples: ['grayscale'],
  aliases: ['greyscale', 'gray', 'grey', 'bw'],
  args: {},
  // One channel is a third less PNG, but raw pixels of one channel lose their alpha on the way to a next pass.
  apply: (image, _values, { last }) =>
    last ? image.grayscale().toColourspace('b-w') : image.modulate({ saturation: 0 }),
});
