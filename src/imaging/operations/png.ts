// png.ts — asks for PNG.

import { whole } from '../arguments.ts';
import { operation } from './operation.ts';

export const png = operation({
  name: 'png',
  release: 1,
  kind: 'output',
  encoder: true,
  summary: 'Writes PNG: lossless at quality 100, else with a palette of that quality.',
  examples: ['png', 'png:60', 'png:colors=16'],
  args: { q: whole({ min: 1, max: 100, default: 100, percent: true }), colors: whole({ min: 2, max: 256 }) },
  wish: ({ q }, given) => ({ format: 'png', ...(given.has('q') ? { quality: q } : {}) }),
});
