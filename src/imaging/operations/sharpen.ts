// sharpen.ts — makes edges stand out.

import { decimal } from '../arguments.ts';
import { operation } from './operation.ts';

export const sharpen = operation({
  name: 'sharpen',
  release: 1,
  kind: 'pixels',
  rank: 17,
  blends: true,
  summary: 'Makes edges stand out; sigma is how wide they are.',
  examples: ['sharpen', 'sharpen:0.7'],
  args: { sigma: decimal({ min: 0.3, max: 10, default: 1 }) },
  apply: (image, { sigma }) => image.sharpen({ sigma }),
});
