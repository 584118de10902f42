// crop.ts — cuts a box out of a picture, at a point or at one of its sides.

import { optional, place, size, whole } from '../arguments.ts';
import { type Box, operation } from './operation.ts';

type Asked = { width?: number; height?: number; x: number; y: number; at?: string | undefined };

/** What of the asked box lies in the picture; sides of zero or less where nothing does. */
function cutOut(input: Box, { width = input.width, height = input.height, x, y, at }: Asked) {
  if (at !== undefined) return { ...corner(input, { width, height }, at), ...within(input, { width, height }) };
  const inside = { width: Math.min(width, input.width - x), height: Math.min(height, input.height - y) };
  return { left: x, top: y, ...inside };
}

const within = (input: Box, box: Box): Box => ({
  width: Math.min(box.width, input.width),
  height: Math.min(box.height, input.height),
});

function corner(input: Box, asked: Box, at: string): { left: number; top: number } {
  const { width, height } = within(input, asked);
  const words = at.split('-');
  // In the middle half a pixel goes where cover lets it go.
  const along = (spare: number, first: string, last: string): number =>
    words.includes(first) ? 0 : words.includes(last) ? spare : Math.ceil(spare / 2);
  return { left: along(input.width - width, 'left', 'right'), top: along(input.height - height, 'top', 'bottom') };
}

export const crop = operation({
  name: 'crop',
  release: 1,
  kind: 'geometry',
  rank: 5,
  rankAfterSize: 10,
  summary: 'Cuts out a box: its top left corner at x and y, or at a place. What lies outside the picture is left out.',
  examples: ['crop:400x300', 'crop:400x300:100:50', 'crop:400x300:at=center'],
  args: {
    size: size(),
    x: whole({ min: 0, max: 1e8, default: 0 }),
    y: whole({ min: 0, max: 1e8, default: 0 }),
    at: optional(place()),
  },
  contradiction: ({ x, y, at }) => (at !== undefined && (x > 0 || y > 0) ? 'takes x and y or at, not both' : undefined),
  needsBox: () => true,
  box(input, values) {
    const { width, height } = cutOut(input, values);
    return { width, height };
  },
  impossible(input, values) {
    const { width, height } = cutOut(input, values);
    return width < 1 || height < 1 ? 'outside' : undefined;
  },
  clamps(input, values) {
    const { width, height } = cutOut(input, values);
    return width < (values.width ?? 0) || height < (values.height ?? 0);
  },
  apply: (image, values, { box }) => image.extract(cutOut(box, values)),
});
