// format.ts — asks for a format by name.

import { choice } from '../arguments.ts';
import { operation } from './operation.ts';

export const format = operation({
  name: 'format',
  release: 1,
  kind: 'output',
  summary: 'Chooses the format of the result; keep is that of the source.',
  examples: ['format:webp', 'format:keep'],
  aliases: ['f', 'convert'],
  args: { format: choice({ of: ['keep', 'jpeg', 'png', 'webp', 'avif'], default: 'keep', also: { jpg: 'jpeg' } }) },
  wish: (values) => ({ format: values.format }),
});
