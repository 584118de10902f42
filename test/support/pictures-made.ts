// pictures-made.ts — pictures made by the tests themselves: none is kept in the repository.

import sharp from 'sharp';

export type Raw = { data: Buffer; width: number; height: number; channels: number };

/** Photo-like: waves and noise, different in every channel and nowhere symmetric. */
export function photo(width: number, height: number, channels: 1 | 2 | 3 | 4 = 3): Raw {
  const data = Buffer.alloc(width * height * channels);
  let seed = 7;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let channel = 0; channel < channels; channel++) {
        seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
        const wave = 100 * Math.sin(x / (9 + channel * 5)) * Math.cos(y / (13 + channel));
        data[(y * width + x) * channels + channel] = clamp(118 + wave + (x / width) * 30 + ((seed >>> 24) % 24));
      }
  return { data, width, height, channels };
}

/** One colour everywhere. */
export function plain(width: number, height: number, color: readonly number[]): Raw {
  const data = Buffer.alloc(width * height * color.length);
  for (let i = 0; i < data.length; i++) data[i] = color[i % color.length]!;
  return { data, width, height, channels: color.length };
}

/** sharp on raw pixels. */
export function sharpOf({ data, width, height, channels }: Raw) {
  return sharp(data, { raw: { width, height, channels: channels as 1 | 2 | 3 | 4 } });
}

/** Decoded pixels of a coded picture, as they are stored. */
export async function pixelsOf(body: Buffer): Promise<Raw> {
  const image = sharp(body, { limitInputPixels: false });
  const { space } = await image.metadata();
  // Raw output of a grey picture would lose its alpha, and grey is compared as colour.
  if (space === 'b-w') image.toColourspace('srgb');
  const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height, channels: info.channels };
}

/** Mean and largest difference of two pictures of one size; alpha weighs the colours, as the eye does. */
export function difference(a: Raw, b: Raw): { mean: number; max: number } {
  if (a.width !== b.width || a.height !== b.height)
    throw new Error(`${a.width}x${a.height} and ${b.width}x${b.height}`);
  let sum = 0;
  let max = 0;
  const left = premultiplied(a);
  const right = premultiplied(b);
  for (let i = 0; i < left.length; i++) {
    const apart = Math.abs(left[i]! - right[i]!);
    sum += apart;
    if (apart > max) max = apart;
  }
  return { mean: sum / left.length, max };
}

function premultiplied({ data, width, height, channels }: Raw): Float32Array {
  const all = new Float32Array(width * height * 4);
  const colors = channels < 3 ? 1 : 3;
  for (let i = 0; i < width * height; i++) {
    const alpha = channels === 2 || channels === 4 ? data[i * channels + channels - 1]! : 255;
    for (let color = 0; color < 3; color++)
      all[i * 4 + color] = (data[i * channels + (colors === 1 ? 0 : color)]! * alpha) / 255;
    all[i * 4 + 3] = alpha;
  }
  return all;
}

const clamp = (value: number): number => Math.max(0, Math.min(255, Math.round(value)));
