// flatten.ts — puts a colour under transparent parts.

import { color } from '../arguments.ts';
import { operation } from './operation.ts';
import { hex, isColored } from '../sizing.ts';

export const flatten = operation({
  name: 'flatten',
  release: 1,
  kind: 'pixels',
  rank: 6,
  summary: 'Puts a colour under transparent parts and drops the transparency.',
  examples: ['flatten', 'flatten:ffcc00'],
  aliases: ['bg', 'background'],
  args: { bg: color({ default: 'ffffff' }) },
  bringsColor: ({ bg }) => isColored(bg),
  apply: (image, { bg }) => image.flatten({ background: hex(bg.slice(0, 6)) }),
});
