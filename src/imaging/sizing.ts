// sizing.ts — what the size operations share: how a box with one side keeps the ratio.

import type { Size } from './arguments.ts';

/** `cover:800x` has no second side to be exact about, so it is `fit:800x` that may enlarge. */
export function fitIfOneSide(
  values: Size & { enlarge: boolean },
): ({ op: string } & Record<string, unknown>) | undefined {
  if (values.width !== undefined && values.height !== undefined) return undefined;
  return { op: 'fit', width: values.width, height: values.height, enlarge: values.enlarge };
}

/** sharp's word for a place. */
export const position = (place: string): string => place.replace('-', ' ');

/** sharp's form of a colour in canonical hex digits. */
export const hex = (color: string): string => `#${color}`;

/** True when the digits name a colour and not a shade of grey. */
export function isColored(color: string): boolean {
  return color.slice(0, 2) !== color.slice(2, 4) || color.slice(2, 4) !== color.slice(4, 6);
}

/** True when the digits name anything less than opaque. */
export const isTranslucent = (color: string): boolean => color.length === 8;

type Sides = { width: number; height: number };
type Scaled = Size & { enlarge: boolean };

/** For what fits inside a box: the scale is the smaller of the two. */
export function scalesBothUp(input: Sides, { width = Infinity, height = Infinity, enlarge }: Scaled): boolean {
  return enlarge && width > input.width && height > input.height;
}

/** For what fills a box: the scale is the larger of the two, or each side has its own. */
export function scalesOneUp(input: Sides, { width = 0, height = 0, enlarge }: Scaled): boolean {
  return enlarge && (width > input.width || height > input.height);
}

const scaledBy = ({ width, height }: Sides, scale: number): Sides => ({
  width: Math.max(1, Math.round(width * scale)),
  height: Math.max(1, Math.round(height * scale)),
});

/** The picture scaled until it fits inside the box. */
export function fitted(input: Sides, { width = Infinity, height = Infinity, enlarge }: Scaled): Sides {
  const scale = Math.min(width / input.width, height / input.height);
  return scale >= 1 && !enlarge ? { width: input.width, height: input.height } : scaledBy(input, scale);
}

/** The picture scaled until it fills the box. */
export function covered(input: Sides, { width = 0, height = 0, enlarge }: Scaled): Sides {
  const scale = Math.max(width / input.width, height / input.height);
  return scale >= 1 && !enlarge ? { width: input.width, height: input.height } : scaledBy(input, scale);
}

/**
 * True when sharp, which lets JPEG be decoded at a half, a quarter or an eighth, would lose the ratio by that: an eighth of
 * 9 pixels is 2, and a strip would come out at half its length.
 */
export function isBentOnLoad(input: Sides, values: Scaled): boolean {
  const wanted = fitted(input, values);
  const shrink = Math.min(input.width / wanted.width, input.height / wanted.height);
  const step = shrink >= 8 ? 8 : shrink >= 4 ? 4 : shrink >= 2 ? 2 : 1;
  const factor = step > 1 && Math.trunc(shrink) === step ? step / 2 : step;
  const loaded = { width: Math.ceil(input.width / factor), height: Math.ceil(input.height / factor) };
  const found = fitted(loaded, values);
  return Math.abs(found.width - wanted.width) > 1 || Math.abs(found.height - wanted.height) > 1;
}
