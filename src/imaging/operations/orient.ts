// orient.ts — turns a picture upright, which happens to every picture anyway.

import { operation } from './operation.ts';

export const orient = operation({
  name: 'orient',
  release: 1,
  kind: 'word',
  summary: 'Turns the picture as its EXIF orientation says. Always done first; may be written for clarity.',
  examples: ['orient'],
  aliases: ['auto-orient'],
  args: {},
  becomes: () => null,
});
