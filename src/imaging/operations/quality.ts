// quality.ts — sets the quality of whatever format is written.

import { whole } from '../arguments.ts';
import { operation } from './operation.ts';

export const quality = operation({
  name: 'quality',
  release: 1,
  kind: 'output',
  summary: 'Sets the quality of the result, whatever its format.',
  examples: ['quality:80'],
  aliases: ['q'],
  args: { q: whole({ min: 1, max: 100, required: true, percent: true }) },
  wish: ({ q }) => ({ quality: q }),
});
