// flop.ts — swaps left and right, as a mirror does.

import { operation } from './operation.ts';

export const flop = operation({
  name: 'flop',
  release: 1,
  kind: 'geometry',
  rank: 9.2,
  mirrors: true,
  summary: 'Mirrors left and right.',
  examples: ['flop'],
  aliases: ['mirror'],
  args: {},
  apply: (image) => image.flop(),
});
