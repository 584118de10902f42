// flip.ts — turns a picture upside down, as a lake does.

import { operation } from './operation.ts';

export const flip = operation({
  name: 'flip',
  release: 1,
  kind: 'geometry',
  rank: 9.1,
  mirrors: true,
  summary: 'Mirrors up and down.',
  examples: ['flip'],
  args: {},
  apply: (image) => image.flip(),
});
