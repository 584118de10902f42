// pictures.ts — the n-th picture: its size, its colour and its fate follow from n alone, so that any result can be judged.

import { crc32, deflateSync } from 'node:zlib';

/** What the source does with a picture: `missing` is 404, `faulty` is no whole picture, a `killer` takes its worker down. */
export type Fate = 'fine' | 'twice503' | 'always500' | 'missing' | 'faulty' | 'killer';

/** No order reaches this number but the one that means it. */
export const killerNumber = 9_000_013;

export function fateOf(n: number): Fate {
  if (n === killerNumber) return 'killer';
  if (n % 60 === 7) return 'missing';
  if (n % 60 === 23) return 'twice503';
  if (n % 120 === 37) return 'always500';
  if (n % 60 === 51) return 'faulty';
  return 'fine';
}

export type Look = { width: number; height: number; red: number; green: number; blue: number };

/** Some 20 million looks; neighbours differ in all of it. */
export function lookOf(n: number): Look {
  const mixed = Math.imul(n + 1, 0x9e3779b1) >>> 0;
  // Far enough apart that an encoder's rounding does not make one of the other.
  const shade = (shift: number): number => 16 + ((mixed >>> shift) & 31) * 7;
  return {
    width: 16 + (n % 17),
    height: 12 + (Math.floor(n / 17) % 13),
    red: shade(3),
    green: shade(11),
    blue: shade(19),
  };
}

/** The n-th picture as a PNG of one colour. A faulty one ends in the middle of its pixels. */
export function pictureOf(n: number): Buffer<ArrayBuffer> {
  const { width, height, red, green, blue } = lookOf(n);
  const line = Buffer.alloc(1 + width * 3); // each line begins with the number of its filter
  for (let x = 0; x < width; x += 1) line.set([red, green, blue], 1 + x * 3);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2], 8);
  const pixels = deflateSync(Buffer.concat(Array.from({ length: height }, () => line)));
  const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
  const png = Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', pixels), chunk('IEND', Buffer.alloc(0))]);
  return fateOf(n) === 'faulty' ? Buffer.from(png.subarray(0, 45)) : png;
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type), data]);
  const whole = Buffer.alloc(body.length + 8);
  whole.writeUInt32BE(data.length, 0);
  body.copy(whole, 4);
  whole.writeUInt32BE(crc32(body), body.length + 4);
  return whole;
}
