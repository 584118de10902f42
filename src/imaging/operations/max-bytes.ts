// max-bytes.ts — asks for a file that is not larger than so much.

import { byteCount } from '../arguments.ts';
import { operation } from './operation.ts';

export const maxBytes = operation({
  name: 'max-bytes',
  release: 2,
  kind: 'output',
  summary: 'Lowers the quality, and then the size of the picture, until the file is not larger than asked.',
  examples: ['max-bytes:100kb', 'fit:1600x/webp/max-bytes:200kb'],
  args: { bytes: byteCount() },
  wish: ({ bytes }) => ({ maxBytes: bytes }),
});
