import { describe, expect, test } from 'vitest';
import { readBmpHeader, readBmpPixels } from '../src/imaging/bmp.ts';
import { openStudio } from './support/pictures-sandbox.ts';

type Bmp = {
  size?: number;
  width?: number;
  height?: number;
  bits: number;
  compression?: number;
  masks?: number[];
  palette?: number[][];
  data: number[];
};

/** Writes a BMP of any header. Colours of the palette as [red, green, blue]. */
function bmp({ size = 40, width = 2, height = 2, bits, compression = 0, masks = [], palette = [], data }: Bmp): Buffer {
  const inside = size >= 52;
  const extra = inside ? 0 : masks.length * 4;
  const entry = size === 12 ? 3 : 4;
  const head = Buffer.alloc(14 + size + extra + palette.length * entry);
  head.write('BM');
  head.writeUInt32LE(head.length + data.length, 2);
  head.writeUInt32LE(head.length, 10);
  head.writeUInt32LE(size, 14);
  if (size === 12) {
    head.writeUInt16LE(width, 18);
    head.writeUInt16LE(height, 20);
    head.writeUInt16LE(bits, 24);
  } else {
    head.writeInt32LE(width, 18);
    head.writeInt32LE(height, 22);
    head.writeUInt16LE(bits, 28);
    if (size >= 40) head.writeUInt32LE(compression, 30);
  }
  for (const [i, mask] of masks.entries()) head.writeUInt32LE(mask, 54 + 4 * i);
  for (const [i, [red, green, blue]] of palette.entries())
    head.set([blue!, green!, red!], 14 + size + extra + i * entry);
  return Buffer.concat([head, Buffer.from(data)]);
}

const read = (file: Buffer) => readBmpPixels(file, readBmpHeader(file));
const pixels = (file: Buffer): number[] => [...read(file).data];

const red = [255, 0, 0];
const green = [0, 255, 0];
const blue = [0, 0, 255];
const white = [255, 255, 255];
// Rows from the top: red green / blue white.
const four = [...red, ...green, ...blue, ...white];
const palette = [red, green, blue, white];
const triples = [255, 0, 0, 255, 255, 255, 0, 0, 0, 0, 255, 0, 255, 0, 0, 0];

describe('BMP', () => {
  test.each([12, 16, 40, 52, 56, 64, 108, 124])('header of %d bytes', (size) => {
    expect(pixels(bmp({ size, bits: 24, data: triples }))).toEqual(four);
  });

  test.each([
    [
      '1 bit',
      bmp({ bits: 1, palette: [red, green], data: [0x40, 0, 0, 0, 0x80, 0, 0, 0] }),
      [...green, ...red, ...red, ...green],
    ],
    ['2 bit', bmp({ bits: 2, palette, data: [0b1011_0000, 0, 0, 0, 0b0001_0000, 0, 0, 0] }), four],
    ['4 bit', bmp({ bits: 4, palette, data: [0x23, 0, 0, 0, 0x01, 0, 0, 0] }), four],
    ['8 bit', bmp({ bits: 8, palette, data: [2, 3, 0, 0, 0, 1, 0, 0] }), four],
    ['8 bit of OS/2', bmp({ size: 12, bits: 8, palette, data: [2, 3, 0, 0, 0, 1, 0, 0] }), four],
    ['16 bit, 5-5-5', bmp({ bits: 16, data: [0x1f, 0, 0xff, 0x7f, 0, 0x7c, 0xe0, 0x03] }), four],
    [
      '16 bit, 5-6-5',
      bmp({
        bits: 16,
        compression: 3,
        masks: [0xf800, 0x07e0, 0x1f],
        data: [0x1f, 0, 0xff, 0xff, 0, 0xf8, 0xe0, 0x07],
      }),
      four,
    ],
    ['24 bit', bmp({ bits: 24, data: triples }), four],
    ['32 bit', bmp({ bits: 32, data: [255, 0, 0, 9, 255, 255, 255, 9, 0, 0, 255, 9, 0, 255, 0, 9] }), four],
    ['top-down', bmp({ height: -2, bits: 8, palette, data: [0, 1, 0, 0, 2, 3, 0, 0] }), four],
    [
      'an index beyond the palette is black',
      bmp({ height: 1, bits: 8, palette: [red], data: [0, 9, 0, 0] }),
      [...red, 0, 0, 0],
    ],
    ['RLE8', bmp({ bits: 8, compression: 1, palette, data: [1, 2, 1, 3, 0, 0, 1, 0, 1, 1, 0, 1] }), four],
    [
      'RLE8, literal and padded',
      bmp({ width: 3, height: 1, bits: 8, compression: 1, palette, data: [0, 3, 0, 1, 2, 0, 0, 1] }),
      [...red, ...green, ...blue],
    ],
    [
      'RLE8, a jump leaves index 0',
      bmp({ height: 1, bits: 8, compression: 1, palette, data: [0, 2, 1, 0, 1, 3, 0, 1] }),
      [...red, ...white],
    ],
    [
      'RLE8, runs beyond the row are cut',
      bmp({ height: 1, bits: 8, compression: 1, palette, data: [200, 2, 0, 1] }),
      [...blue, ...blue],
    ],
    ['RLE4', bmp({ bits: 4, compression: 2, palette, data: [2, 0x23, 0, 0, 2, 0x01, 0, 1] }), four],
    ['the padding of the last row may be missing', bmp({ bits: 8, palette, data: [2, 3, 0, 0, 0, 1] }), four],
  ])('%s', (_what, file, expected) => {
    expect(pixels(file)).toEqual(expected);
  });

  test('any mask, also of 10 bits', () => {
    const masks = [0x3ff00000, 0x000ffc00, 0x000003ff];
    expect(
      pixels(bmp({ width: 1, height: 1, bits: 32, compression: 3, masks, data: [0xff, 0x03, 0xf0, 0x3f] })),
    ).toEqual([255, 0, 255]);
  });

  test.each([
    ['in the header', 56, 3],
    ['after the header', 40, 6],
  ])('alpha only where a mask names it: %s', (_where, size, compression) => {
    const masks = [0xff0000, 0xff00, 0xff, 0xff000000];
    const file = (alpha: number) =>
      bmp({ size, width: 1, height: 1, bits: 32, compression, masks, data: [1, 2, 3, alpha] });
    expect(pixels(file(128))).toEqual([3, 2, 1, 128]);
    expect(pixels(file(0)), 'all zero means opaque').toEqual([3, 2, 1]);
    expect(pixels(bmp({ width: 1, height: 1, bits: 32, data: [1, 2, 3, 128] }))).toEqual([3, 2, 1]);
  });

  test.each([
    ['embedded JPEG', bmp({ bits: 24, compression: 4, data: triples })],
    ['embedded PNG', bmp({ bits: 24, compression: 5, data: triples })],
    ['Huffman of OS/2', bmp({ size: 64, bits: 1, compression: 3, data: triples })],
    ['5 bit', bmp({ bits: 5, data: triples })],
    ['64 bit', bmp({ bits: 64, data: triples })],
  ])('%s is a format that nobody reads', (_what, file) => {
    expect(() => read(file)).toThrow(expect.objectContaining({ code: 'unsupported_format' }));
  });

  const cut = bmp({ bits: 24, data: triples });
  const offset = (at: number): Buffer => {
    const file = Buffer.from(cut);
    file.writeUInt32LE(at, 10);
    return file;
  };
  test.each([
    ['cut in the header', cut.subarray(0, 30)],
    ['cut in the rows', cut.subarray(0, cut.length - 8)],
    ['rows behind the file', offset(100_000)],
    ['rows inside the header', offset(20)],
    ['no width', bmp({ width: 0, bits: 24, data: triples })],
    ['a width below zero', bmp({ width: -2, bits: 24, data: triples })],
    ['no height', bmp({ height: 0, bits: 24, data: triples })],
    ['the largest sides', bmp({ width: 2 ** 31 - 1, height: 2 ** 31 - 1, bits: 32, data: triples })],
    ['run lengths that end early', bmp({ bits: 8, compression: 1, palette, data: [1, 2] })],
    ['run lengths from the top', bmp({ height: -2, bits: 8, compression: 1, palette, data: [2, 2, 0, 1] })],
  ])('%s is refused', (_what, file) => {
    expect(() => read(file)).toThrow(expect.objectContaining({ code: 'corrupt_image' }));
  });

  test('goes through the sandbox and keeps its alpha', async () => {
    await using studio = await openStudio();
    const masks = [0xff0000, 0xff00, 0xff, 0xff000000];
    const file = bmp({ size: 108, width: 1, height: 1, bits: 32, compression: 3, masks, data: [1, 2, 3, 128] });
    const { format, body } = await studio.render(file);
    expect(format).toBe('png');
    expect(body[25], 'colour type of PNG: RGB with alpha').toBe(6);
  });
});
