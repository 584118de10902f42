// pictures-reference.ts — the operations once more, in plain arithmetic: what results are compared with.
//
// Slow and simple on purpose, and nothing of sharp in it. Alpha weighs colours wherever pixels flow into each other.

import type { Raw } from './pictures-made.ts';

type Box = { left: number; top: number; width: number; height: number };

/** A picture of this size, each pixel asked for. */
function drawn(
  width: number,
  height: number,
  channels: number,
  pixel: (x: number, y: number) => ArrayLike<number>,
): Raw {
  const data = Buffer.alloc(width * height * channels);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const color = pixel(x, y);
      for (let c = 0; c < channels; c++) data[(y * width + x) * channels + c] = rounded(color[c]!);
    }
  return { data, width, height, channels };
}

const rounded = (value: number): number => Math.max(0, Math.min(255, Math.round(value)));
const at = ({ data, width, channels }: Raw, x: number, y: number): Buffer =>
  data.subarray((y * width + x) * channels, (y * width + x + 1) * channels);

export const cropped = (picture: Raw, { left, top, width, height }: Box): Raw =>
  drawn(width, height, picture.channels, (x, y) => at(picture, x + left, y + top));

export const flipped = (picture: Raw): Raw =>
  drawn(picture.width, picture.height, picture.channels, (x, y) => at(picture, x, picture.height - 1 - y));

/** A quarter clockwise. */
export const turned = (picture: Raw): Raw =>
  drawn(picture.height, picture.width, picture.channels, (x, y) => at(picture, y, picture.height - 1 - x));

export function padded(
  picture: Raw,
  box: { width: number; height: number },
  color: number[],
  [left, top]: [number, number],
): Raw {
  const inside = (x: number, y: number) =>
    x >= left && y >= top && x < left + picture.width && y < top + picture.height;
  return drawn(box.width, box.height, picture.channels, (x, y) =>
    inside(x, y) ? at(picture, x - left, y - top) : color,
  );
}

export const flattened = (picture: Raw, color: number[]): Raw =>
  drawn(picture.width, picture.height, 3, (x, y) => {
    const pixel = at(picture, x, y);
    const alpha = pixel[3]! / 255;
    return color.map((under, c) => pixel[c]! * alpha + under * (1 - alpha));
  });

/** Lightness as the eye weighs the colours, in linear light. */
export const grey = (picture: Raw): Raw =>
  drawn(picture.width, picture.height, 3, (x, y) => {
    const [r = 0, g = 0, b = 0] = at(picture, x, y);
    const light = 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    return Array(3).fill(255 * (light <= 0.0031308 ? light * 12.92 : 1.055 * light ** (1 / 2.4) - 0.055));
  });

const linear = (value: number): number =>
  value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4;

/** Turned clockwise by degrees about its middle, between pixels by their distance. */
export function slanted(picture: Raw, degrees: number, color: number[]): Raw {
  const turn = (degrees * Math.PI) / 180;
  const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
  const width = Math.round(picture.width * Math.abs(cos) + picture.height * Math.abs(sin));
  const height = Math.round(picture.width * Math.abs(sin) + picture.height * Math.abs(cos));
  return drawn(width, height, picture.channels, (x, y) => {
    const [dx, dy] = [x + 0.5 - width / 2, y + 0.5 - height / 2];
    return between(
      picture,
      dx * cos + dy * sin + picture.width / 2 - 0.5,
      dy * cos - dx * sin + picture.height / 2 - 0.5,
      color,
    );
  });
}

function between(picture: Raw, x: number, y: number, outside: number[]): number[] {
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const pixel = (px: number, py: number): ArrayLike<number> =>
    px >= 0 && py >= 0 && px < picture.width && py < picture.height ? at(picture, px, py) : outside;
  const [a, b, c, d] = [pixel(left, top), pixel(left + 1, top), pixel(left, top + 1), pixel(left + 1, top + 1)];
  const [u, v] = [x - left, y - top];
  return Array.from(
    { length: picture.channels },
    (_, i) => (a[i]! * (1 - u) + b[i]! * u) * (1 - v) + (c[i]! * (1 - u) + d[i]! * u) * v,
  );
}

/** Scaled with a Lanczos kernel of three lobes, widened where pixels become fewer. */
export function scaled(picture: Raw, width: number, height: number): Raw {
  const across = weights(picture.width, width, lanczos, 3);
  const down = weights(picture.height, height, lanczos, 3);
  return folded(picture, width, height, across, down);
}

/** A Gaussian whose edge goes on with the last pixel. */
export function blurred(picture: Raw, sigma: number): Raw {
  const gauss = (distance: number) => Math.exp(-(distance ** 2) / (2 * sigma ** 2));
  const of = (side: number) => weights(side, side, gauss, Math.ceil(3.5 * sigma));
  return folded(picture, picture.width, picture.height, of(picture.width), of(picture.height));
}

const lanczos = (distance: number): number =>
  distance === 0
    ? 1
    : (3 * Math.sin(Math.PI * distance) * Math.sin((Math.PI * distance) / 3)) / (Math.PI * distance) ** 2;

type Weights = { index: number; weight: number }[][];

/** For each new pixel of a line the old ones it is made of, with weights that add up to one. */
function weights(from: number, to: number, kernel: (distance: number) => number, reach: number): Weights {
  const step = Math.max(1, from / to);
  return Array.from({ length: to }, (_, each) => {
    const center = ((each + 0.5) * from) / to - 0.5;
    const first = Math.ceil(center - reach * step);
    const last = Math.floor(center + reach * step);
    const found = Array.from({ length: last - first + 1 }, (__, i) => {
      const distance = Math.abs(first + i - center) / step;
      return { index: Math.max(0, Math.min(from - 1, first + i)), weight: distance >= reach ? 0 : kernel(distance) };
    });
    const sum = found.reduce((total, { weight }) => total + weight, 0);
    return found.map(({ index, weight }) => ({ index, weight: weight / sum }));
  });
}

function folded(picture: Raw, width: number, height: number, across: Weights, down: Weights): Raw {
  const { channels } = picture;
  const hasAlpha = channels === 4;
  const lines = new Float64Array(width * picture.height * channels);
  for (let y = 0; y < picture.height; y++)
    for (let x = 0; x < width; x++)
      for (const { index, weight } of across[x]!) {
        const pixel = at(picture, index, y);
        for (let c = 0; c < channels; c++)
          lines[(y * width + x) * channels + c]! += weight * pixel[c]! * (hasAlpha && c < 3 ? pixel[3]! / 255 : 1);
      }
  return drawn(width, height, channels, (x, y) => {
    const sum = new Float64Array(channels);
    for (const { index, weight } of down[y]!)
      for (let c = 0; c < channels; c++) sum[c]! += weight * lines[(index * width + x) * channels + c]!;
    return hasAlpha && sum[3]! > 0 ? sum.map((value, c) => (c < 3 ? (value * 255) / sum[3]! : value)) : sum;
  });
}
