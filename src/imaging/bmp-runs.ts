// bmp-runs.ts — unrolls the run lengths of 4 and 8 bit BMP (RLE4, RLE8) into one palette index for each pixel.

import { Refused } from './refused.ts';

type Runs = { width: number; height: number; bits: number; dataAt: number };

/** Rows from the top. Pixels that the file jumps over keep index 0; runs beyond the end of a row are cut. */
export function readRunLengths(bytes: Buffer, { width, height, bits, dataAt }: Runs): Uint8Array {
  const all = new Uint8Array(width * height);
  let at = dataAt;
  let x = 0;
  let y = 0;
  const put = (index: number) => {
    if (x < width && y < height) all[(height - 1 - y) * width + x] = index;
    x++;
  };
  while (at + 1 < bytes.length && y < height) {
    const count = bytes[at]!;
    const value = bytes[at + 1]!;
    at += 2;
    if (count > 0) for (let i = 0; i < count; i++) put(nibbleOrByte(value, i, bits));
    else if (value === 0) [x, y] = [0, y + 1];
    else if (value === 1) return all;
    else if (value === 2) {
      if (at + 1 >= bytes.length) break;
      x += bytes[at]!;
      y += bytes[at + 1]!;
      at += 2;
    } else {
      const length = bits === 8 ? value : Math.ceil(value / 2);
      if (at + length > bytes.length) break;
      for (let i = 0; i < value; i++) put(nibbleOrByte(bytes[at + (bits === 8 ? i : i >> 1)]!, i, bits));
      // Literal runs are padded to two bytes.
      at += length + (length & 1);
    }
  }
  // Many writers leave out the end mark after a full picture; a file that ends earlier is cut off.
  if (y < height - 1 || (y === height - 1 && x < width)) throw new Refused('corrupt_image', 'run lengths end early');
  return all;
}

function nibbleOrByte(value: number, i: number, bits: number): number {
  if (bits === 8) return value;
  return i % 2 === 0 ? value >> 4 : value & 15;
}
