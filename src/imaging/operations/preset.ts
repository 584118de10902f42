// preset.ts — a name that stands for a pipeline.

import { presetName } from '../arguments.ts';
import { operation } from './operation.ts';

export const preset = operation({
  name: 'preset',
  release: 1,
  kind: 'word',
  summary: 'Stands for the operations of a named pipeline, which are written into the recipe when it is submitted.',
  examples: ['preset:catalog', 'preset:upload/webp'],
  args: { name: presetName() },
  preset: (values) => values.name,
});
