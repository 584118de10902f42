// jpeg.ts — asks for JPEG.

import { choice, flag, whole } from '../arguments.ts';
import { operation } from './operation.ts';

export const jpeg = operation({
  name: 'jpeg',
  release: 1,
  kind: 'output',
  encoder: true,
  summary: 'Writes JPEG; transparent parts become white.',
  examples: ['jpeg', 'jpeg:75', 'jpeg:q=75:progressive=true'],
  aliases: ['jpg'],
  args: {
    q: whole({ min: 1, max: 100, default: 80, percent: true }),
    progressive: flag({ default: false }),
    chroma: choice({ of: ['420', '444'], default: '420', also: { '4:2:0': '420', '4:4:4': '444' } }),
  },
  wish: ({ q }, given) => ({ format: 'jpeg', ...(given.has('q') ? { quality: q } : {}) }),
});
