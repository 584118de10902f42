// blur.ts — softens a picture.

import { decimal } from '../arguments.ts';
import { operation } from './operation.ts';

export const blur = operation({
  name: 'blur',
  release: 1,
  kind: 'pixels',
  rank: 14,
  blends: true,
  summary: 'Softens with a Gaussian of the given sigma.',
  examples: ['blur', 'blur:3'],
  args: { sigma: decimal({ min: 0.3, max: 100, default: 2 }) },
  apply: (image, { sigma }) => image.blur(sigma),
});
