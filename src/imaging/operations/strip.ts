// strip.ts — promises a result without metadata, which every result is.

import { choice } from '../arguments.ts';
import { operation } from './operation.ts';

export const strip = operation({
  name: 'strip',
  release: 1,
  kind: 'output',
  summary: 'Keeps no metadata. Always so; may be written for clarity.',
  examples: ['strip'],
  args: { what: choice({ of: ['all'], default: 'all' }) },
  wish: () => ({}),
});
