// effort.ts — how much work the encoder may do for fewer bytes.

import { choice } from '../arguments.ts';
import { operation } from './operation.ts';

export const effort = operation({
  name: 'effort',
  release: 1,
  kind: 'output',
  summary: 'Chooses the encoder profile: fast, balanced or small. Without it the setting DARKROOM_EFFORT counts.',
  examples: ['effort:small'],
  args: { profile: choice({ of: ['fast', 'balanced', 'small'], required: true }) },
  wish: ({ profile }) => ({ profile }),
});
