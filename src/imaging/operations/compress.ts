// compress.ts — quality under the name under which people look for smaller files.

import { whole } from '../arguments.ts';
import { operation } from './operation.ts';

export const compress = operation({
  name: 'compress',
  release: 1,
  kind: 'output',
  summary: 'Presses the picture at its size and format; the result is never larger than the source.',
  examples: ['compress:50', 'compress'],
  args: { q: whole({ min: 1, max: 100, default: 50, percent: true, shown: true }) },
  wish: ({ q }) => ({ quality: q }),
});
