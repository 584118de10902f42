// webp.ts — asks for WebP.

import { flag, whole } from '../arguments.ts';
import { operation } from './operation.ts';

export const webp = operation({
  name: 'webp',
  release: 1,
  kind: 'output',
  encoder: true,
  summary: 'Writes WebP, lossy or lossless.',
  examples: ['webp', 'webp:70', 'webp:lossless=true'],
  args: {
    q: whole({ min: 1, max: 100, default: 82, percent: true }),
    lossless: flag({ default: false }),
    effort: whole({ min: 0, max: 4, default: 2 }),
  },
  wish: ({ q }, given) => ({ format: 'webp', ...(given.has('q') ? { quality: q } : {}) }),
});
