// rotate.ts — turns a picture clockwise.

import { color, decimal } from '../arguments.ts';
import { hex, isColored, isTranslucent } from '../sizing.ts';
import { operation } from './operation.ts';

const isQuarter = (angle: number): boolean => angle % 90 === 0;

export const rotate = operation({
  name: 'rotate',
  release: 1,
  kind: 'geometry',
  rank: 3,
  rankAfterSize: 9.3,
  summary: 'Turns clockwise by degrees; corners that become free are filled with a colour.',
  examples: ['rotate:90', 'rotate:-7.5:bg=transparent'],
  aliases: ['rot'],
  args: {
    angle: decimal({ min: -360, max: 360, required: true }),
    bg: color({ default: 'ffffff' }),
  },
  becomes: ({ angle }) => (angle % 360 === 0 ? null : undefined),
  // After a slanted turn sharp would crop, pad and scale by the sides from before it.
  ends: ({ angle }) => !isQuarter(angle),
  box({ width, height }, { angle }) {
    if (angle % 180 === 0) return { width, height };
    if (isQuarter(angle)) return { width: height, height: width };
    const turn = (angle * Math.PI) / 180;
    const [sin, cos] = [Math.abs(Math.sin(turn)), Math.abs(Math.cos(turn))];
    return { width: Math.round(width * cos + height * sin), height: Math.round(width * sin + height * cos) };
  },
  bringsColor: ({ angle, bg }) => !isQuarter(angle) && isColored(bg),
  bringsAlpha: ({ angle, bg }) => !isQuarter(angle) && isTranslucent(bg),
  apply: (image, { angle, bg }) => image.rotate(angle, { background: hex(bg) }),
});
