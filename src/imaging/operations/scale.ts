// scale.ts — makes a picture larger or smaller by a share of its own size.

import { decimal } from '../arguments.ts';
import { type Box, operation } from './operation.ts';

const scaled = ({ width, height }: Box, percent: number): Box => ({
  width: Math.max(1, Math.round((width * percent) / 100)),
  height: Math.max(1, Math.round((height * percent) / 100)),
});

export const scale = operation({
  name: 'scale',
  release: 1,
  kind: 'geometry',
  rank: 8,
  group: 'size',
  summary: 'Scales both sides to so many percent of what they are.',
  examples: ['scale:50%', 'scale:12.5'],
  args: { percent: decimal({ min: 1, max: 800, required: true, percent: true }) },
  needsBox: () => true,
  box: (input, { percent }) => scaled(input, percent),
  enlarges: (_input, { percent }) => percent > 100,
  apply: (image, { percent }, { box }) => image.resize({ ...scaled(box, percent), fit: 'fill' }),
});
