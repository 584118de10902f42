// target.ts — asks for a look instead of a number: the encoder's quality is searched for each picture.

import { likenessLevel } from '../arguments.ts';
import { operation } from './operation.ts';

export const target = operation({
  name: 'target',
  release: 2,
  kind: 'output',
  summary: 'Searches the lowest quality that still looks as good as asked; of JPEG, WebP and AVIF.',
  examples: ['target:high', 'webp/target:0.95'],
  args: { score: likenessLevel() },
  wish: ({ score }) => ({ target: score }),
});
