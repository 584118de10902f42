// scenes.ts — what the sample pictures show: products on white, two landscapes, a sticker, a lantern, a person.
//
// Everything follows from the place and a fixed seed, so every installation serves the same pixels.

import type { Ink, Scene } from './paint.ts';

type Rgb = readonly [number, number, number];

/** A vessel on white paper: lit from the left, with a soft shadow below and a band of glaze. */
export function vessel(color: Rgb, shape: { top: number; waist: number; neck: number; handle: boolean }): Scene {
  return (x, y, edge) => {
    const shadow = 0.28 * Math.exp(-((((x - 0.54) / 0.27) ** 2 + ((y - 0.87) / 0.03) ** 2) * 1.1));
    const paper = 0.985 - 0.02 * y - shadow;
    const height = (y - shape.top) / (0.87 - shape.top);
    const half = height < 0.3 ? mix(shape.neck, shape.waist, smooth(0.08, 0.3, height)) : shape.waist;
    const body = inside(half - Math.abs(x - 0.5), edge) * inside(Math.min(height, 1 - height) * 0.5, edge);
    const ring = Math.hypot((x - 0.5 - shape.waist) / 0.85, y - 0.56);
    const handle = shape.handle ? inside(0.028 - Math.abs(ring - 0.13), edge) * (x > 0.5 + shape.waist ? 1 : 0) : 0;
    const across = Math.max(-1, Math.min(1, (x - 0.5) / Math.max(half, 0.01)));
    const light = 0.5 + 0.5 * Math.sqrt(Math.max(0, 1 - (across + 0.35) ** 2 * 0.55)) - 0.22 * Math.max(0, across);
    const shine = 0.5 * Math.exp(-(((across + 0.45) / 0.1) ** 2)) * smooth(0.1, 0.25, height) * smooth(1, 0.75, height);
    const band = 0.16 * smooth(0.44, 0.45, height) * smooth(0.58, 0.57, height);
    const grain = 0.03 * (noise(x * 240, y * 240) - 0.5);
    return over([paper, paper, paper * 0.995], color, Math.max(body, handle), light - band + grain, shine * body);
  };
}

/** A wrapped box with a ribbon, seen from the front or from behind. */
export function box(color: Rgb, ribbon: Rgb): Scene {
  return (x, y, edge) => {
    const shadow = 0.3 * Math.exp(-((((x - 0.5) / 0.36) ** 2 + ((y - 0.83) / 0.03) ** 2) * 1.2));
    const paper = 0.99 - shadow;
    const lid = inside(Math.min(0.36 - Math.abs(x - 0.5), Math.min(y - 0.3, 0.42 - y)), edge);
    const body = inside(Math.min(0.33 - Math.abs(x - 0.5), Math.min(y - 0.42, 0.83 - y)), edge);
    const tied = Math.min(1, inside(0.045 - Math.abs(x - 0.5), edge) + inside(0.035 - Math.abs(y - 0.62), edge));
    const fibre = 0.06 * (noise(x * 500, y * 24) - 0.5);
    const light = 1.02 - 0.4 * x - (lid > 0.5 ? 0 : 0.12 * smooth(0.47, 0.42, y)) + fibre;
    const wrapped = over([1, 1, 1], color, 1, light, 0);
    const bound = tied > 0 ? over(wrapped, ribbon, tied, light + 0.1 * Math.sin(x * 90), 0) : wrapped;
    return over([paper, paper, paper], [bound[0], bound[1], bound[2]], Math.max(lid, body), 1, 0);
  };
}

/** Ridges behind ridges over water, with haze and the grain of a sensor. */
export function landscape(sky: { high: Rgb; low: Rgb }, ground: Rgb, sun: { x: number; y: number }): Scene {
  return (x, y, edge) => {
    const mirrored = y > 0.64;
    const ripple = mirrored ? 0.012 * Math.sin(y * 420 + 6 * noise(x * 9, y * 60)) : 0;
    const height = mirrored ? 1.28 - y + ripple : y;
    const glow = Math.exp(-Math.hypot((x - sun.x) * 1.5, height - sun.y) * 7);
    const cloud = 0.35 * smooth(0.52, 0.85, fractal(x * 4 + 11, height * 11)) * smooth(0.6, 0.1, height);
    const share = smooth(0, 0.64, height);
    let ink: Ink = blend(blend(sky.high, sky.low, share), [1, 0.97, 0.9], Math.min(1, glow + cloud));
    for (const [ridge, roughness] of [2, 3, 4, 5].entries()) {
      const crest = 0.34 + ridge * 0.075 - 0.17 * (fractal(x * roughness, ridge * 17 + 3) - 0.4);
      const covered = inside(height - crest, edge * 2);
      // Rock is the dearest part of the picture, so it is grown only where it shows.
      if (covered === 0) continue;
      const rock = 0.75 + 0.5 * fractal(x * 60, height * 60 + ridge * 9);
      const stone: Rgb = [ground[0] * rock, ground[1] * rock, ground[2] * rock];
      ink = blend(ink, blend(stone, sky.low, 0.62 - ridge * 0.17), covered);
    }
    const dark = mirrored ? 0.78 - 0.2 * (y - 0.64) : 1;
    const grain = 0.05 * (noise(x * 2111, y * 1733) - 0.5);
    return [ink[0] * dark + grain, ink[1] * dark + grain, ink[2] * dark + grain];
  };
}

/** A round sticker with a star; around it nothing at all. */
export const sticker: Scene = (x, y, edge) => {
  const [dx, dy] = [x - 0.5, y - 0.5];
  const distance = Math.hypot(dx, dy);
  const turn = Math.atan2(dx, -dy);
  const spike = Math.abs((((turn / (Math.PI * 2)) * 5 + 5.5) % 1) - 0.5) * 2;
  const star = inside(mix(0.3, 0.13, spike) - distance, edge);
  const rim = inside(0.03 - Math.abs(distance - 0.42), edge);
  const ink = blend(blend([0.83, 0.22, 0.2], [1, 0.86, 0.4], rim), [1, 0.97, 0.88], star);
  return [ink[0], ink[1], ink[2], inside(0.48 - distance, edge)];
};

/** A paper lantern that shines through itself and fades into nothing. */
export const lantern: Scene = (x, y) => {
  const distance = Math.hypot((x - 0.5) / 0.34, (y - 0.5) / 0.42);
  const ribs = 0.9 + 0.1 * Math.cos(Math.asin(Math.max(-1, Math.min(1, (y - 0.5) / 0.42))) * 26);
  const paper = smooth(1.01, 0.99, distance);
  const warm = Math.exp(-distance * distance * 0.9);
  const halo = 0.55 * smooth(1.45, 0.9, distance);
  return [ribs, (0.5 + 0.45 * warm) * ribs, (0.2 + 0.55 * warm) * ribs, Math.max(paper * 0.92, halo)];
};

/** Somebody in front of a wall, upright. */
export const portrait: Scene = (x, y, edge) => {
  const wall = blend([0.42, 0.5, 0.55], [0.72, 0.74, 0.7], fractal(x * 3, y * 3));
  const coat = inside(0.36 - Math.hypot((x - 0.5) * 1.05, (y - 1.06) * 0.85), edge);
  const neck = inside(Math.min(0.075 - Math.abs(x - 0.5), 0.78 - y, y - 0.5), edge);
  const face = inside(0.17 - Math.hypot(x - 0.5, (y - 0.43) * 0.78), edge);
  const hair =
    inside(0.2 - Math.hypot(x - 0.5, (y - 0.39) * 0.86), edge) * (1 - inside(y - 0.33 - 0.5 * (x - 0.5) ** 2, edge));
  const light = 1.08 - 0.7 * Math.abs(x - 0.42);
  const skin: Rgb = [0.87 * light, 0.68 * light, 0.56 * light];
  const cloth = 0.85 + 0.3 * noise(x * 300, y * 300);
  let ink = blend(wall, [0.2 * cloth, 0.25 * cloth, 0.38 * cloth], coat);
  ink = blend(ink, [skin[0] * 0.85, skin[1] * 0.83, skin[2] * 0.8], neck);
  ink = blend(blend(ink, skin, face), [0.22, 0.14, 0.1], hair);
  for (const eye of [0.435, 0.565])
    ink = blend(ink, [0.1, 0.1, 0.12], inside(0.013 - Math.hypot(x - eye, y - 0.43), edge));
  const grain = 0.03 * (noise(x * 911, y * 1213) - 0.5);
  return [ink[0] + grain, ink[1] + grain, ink[2] + grain];
};

/** A button with two holes, small enough that every pixel counts. */
export const button: Scene = (x, y, edge) => {
  const disc = inside(0.46 - Math.hypot(x - 0.5, y - 0.5), edge);
  const holes = inside(0.09 - Math.hypot(Math.abs(x - 0.5) - 0.15, y - 0.5), edge);
  return blend([1, 1, 1], blend([0.16, 0.42, 0.66], [0.96, 0.96, 0.96], holes), disc);
};

const mix = (from: number, to: number, share: number): number => from + (to - from) * share;

const blend = (under: Ink, above: Ink, share: number): Rgb => [
  mix(under[0], above[0], share),
  mix(under[1], above[1], share),
  mix(under[2], above[2], share),
];

/** Paints `color`, lit, over what lies below; `shine` adds white. */
const over = (under: Ink, color: Rgb, share: number, light: number, shine: number): Rgb =>
  blend(under, [color[0] * light + shine, color[1] * light + shine, color[2] * light + shine], share);

/** 1 where `depth` is positive, 0 where it is negative, soft over one pixel. */
const inside = (depth: number, edge: number): number => Math.max(0, Math.min(1, depth / edge + 0.5));

/** 0 at `from`, 1 at `to`, without a corner at either end; `from` may be the larger. */
function smooth(from: number, to: number, value: number): number {
  const share = Math.max(0, Math.min(1, (value - from) / (to - from)));
  return share * share * (3 - 2 * share);
}

/** Four octaves of noise: rock, clouds, plaster. */
const fractal = (x: number, y: number): number =>
  (noise(x, y) * 8 + noise(x * 2.1, y * 2.1) * 4 + noise(x * 4.3, y * 4.3) * 2 + noise(x * 8.7, y * 8.7)) / 15;

/** A random value at each whole place, smooth in between. */
function noise(x: number, y: number): number {
  const [column, row] = [Math.floor(x), Math.floor(y)];
  const [right, down] = [smooth(0, 1, x - column), smooth(0, 1, y - row)];
  const above = mix(lattice(column, row), lattice(column + 1, row), right);
  return mix(above, mix(lattice(column, row + 1), lattice(column + 1, row + 1), right), down);
}

const seed = 0x9e3779b9;

function lattice(column: number, row: number): number {
  let bits = Math.imul(column, 0x27d4eb2d) ^ Math.imul(row, 0x165667b1) ^ seed;
  bits = Math.imul(bits ^ (bits >>> 15), 0x2c1b3c6d);
  bits = Math.imul(bits ^ (bits >>> 12), 0x297a2d39);
  return ((bits ^ (bits >>> 15)) >>> 0) / 4294967296;
}
