// resize.ts — the word most people try first: one of cover, fit, pad and stretch.

import { choice, color, flag, optional, place, size } from '../arguments.ts';
import { operation } from './operation.ts';

export const resize = operation({
  name: 'resize',
  release: 1,
  kind: 'word',
  summary: 'Fills the box like cover; a second word makes it fit, pad or stretch.',
  examples: ['resize:100x100', 'resize:800x600:pad', 'resize:800x'],
  args: {
    size: size(),
    mode: choice({
      of: ['cover', 'fit', 'pad', 'stretch'],
      default: 'cover',
      also: { fill: 'cover', contain: 'pad', inside: 'fit', max: 'fit', force: 'stretch' },
    }),
    at: optional(place()),
    bg: optional(color({ default: 'ffffff' })),
    enlarge: optional(flag({ default: true })),
  },
  becomes({ width, height, mode, at, bg, enlarge }) {
    const oneSide = width === undefined || height === undefined;
    if (oneSide) return { op: 'fit', width, height, enlarge: enlarge ?? mode !== 'fit' };
    const box = { width, height, enlarge };
    if (mode === 'cover') return { op: mode, ...box, at };
    if (mode === 'pad') return { op: mode, ...box, at, bg };
    return { op: mode, ...box };
  },
});
