import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readPnmHeader, readPnmPixels } from '../src/imaging/pnm.ts';
import { pixelsOf } from './support/pictures-made.ts';
import { openStudio } from './support/pictures-sandbox.ts';

const pixels = (file: Buffer): number[] => [...readPnmPixels(file, readPnmHeader(file)).data];
const bytes = (...all: number[]): Buffer => Buffer.from(all);
const file = (head: string, data: Buffer = Buffer.alloc(0)): Buffer =>
  Buffer.concat([Buffer.from(head, 'latin1'), data]);

let studio: Awaited<ReturnType<typeof openStudio>>;
beforeAll(async () => {
  studio = await openStudio();
});
afterAll(() => studio.sandbox.close());

describe('PNM', () => {
  test.each([
    ['P1, digits apart', file('P1\n3 2\n1 0 1\n0 1 0\n'), [0, 255, 0, 255, 0, 255]],
    ['P1, digits touching', file('P1 3 2 101010'), [0, 255, 0, 255, 0, 255]],
    ['P2', file('P2\n2 2\n255\n0 100\n200 255\n'), [0, 100, 200, 255]],
    ['P2, maxval 15', file('P2\n2 1\n15\n5 15\n'), [85, 255]],
    ['P2, maxval 65535', file('P2 2 1 65535 65535 32768'), [255, 128]],
    ['P3', file('P3\n1 2\n255\n1 2 3\n4 5 6'), [1, 2, 3, 4, 5, 6]],
    ['P4, rows padded to bytes', file('P4\n9 2\n', bytes(0x80, 0x80, 0x00, 0x00)), [0, ...ones(7), 0, ...ones(9)]],
    ['P5', file('P5\n2 2\n255\n', bytes(0, 9, 10, 255)), [0, 9, 10, 255]],
    ['P5, a sample that looks like white space', file('P5 1 1 255 ', bytes(0x20)), [0x20]],
    ['P5, maxval 1', file('P5 2 1 1\n', bytes(0, 1)), [0, 255]],
    ['P5, 16 bit, big-endian', file('P5 2 1 65535\n', bytes(0x80, 0, 0xff, 0xff)), [128, 255]],
    ['P6', file('P6\n1 1\n255\n', bytes(1, 2, 3)), [1, 2, 3]],
    ['P6, 16 bit', file('P6 1 1 1023\n', bytes(0, 0, 2, 0, 3, 0xff)), [0, 128, 255]],
    ['comments anywhere in the header', file('P2 # a\n#b\n2#c\n1\n# 9 9\n255 #d\n7 8'), [7, 8]],
    ['any white space', file('P2\r\n\t2\v1\f255\r\n7 8'), [7, 8]],
    ['more than there should be', file('P5 1 1 255\n', bytes(5, 6, 7)), [5]],
  ])('%s', (_what, source, expected) => {
    expect(pixels(source)).toEqual(expected);
  });

  test.each([
    ['missing samples', file('P5 4 4 255\n', bytes(1, 2, 3))],
    ['missing plain samples', file('P2 2 2 255 1 2   ')],
    ['a sample above maxval', file('P2 1 1 9 10')],
    ['a raw sample above maxval', file('P5 1 1 9\n', bytes(10))],
    ['a side of zero', file('P5 0 4 255\n', bytes(1))],
    ['maxval zero', file('P5 1 1 0\n', bytes(1))],
    ['maxval too large', file('P5 1 1 70000\n', bytes(1, 1))],
    ['no numbers', file('P5 a b c\n')],
    ['nothing after the header', file('P6 9 9')],
    ['a bit that is none', file('P1 2 1 1 2')],
    ['sides beyond any file', file('P5 9999999999 9999999999 255\n', bytes(1))],
  ])('%s is refused', (_what, source) => {
    expect(() => pixels(source)).toThrow(expect.objectContaining({ code: 'corrupt_image' }));
  });

  test('P7 and Pf are formats that nobody reads', async () => {
    expect(await studio.codeOf(file('P7\nWIDTH 1\n'))).toBe('unsupported_format');
    expect(await studio.codeOf(file('Pf\n1 1\n-1.0\n'))).toBe('unsupported_format');
  });

  test('goes through the sandbox and comes out as PNG', async () => {
    const { body, format, warnings } = await studio.render(file('P2\n2 2\n255\n0 100\n200 255\n'));
    expect(format).toBe('png');
    expect(warnings).toEqual(['format_substituted']);
    expect((await pixelsOf(body)).data.filter((_, i) => i % 3 === 0)).toEqual(bytes(0, 100, 200, 255));
  });

  test('the seed sends a PGM and wants exactly 100x100 without colour', async () => {
    const result = await studio.render(file('P2\n3 2\n15\n0 5 10 15 10 5\n'), 'resize:100x100/grayscale/png');
    expect(result).toMatchObject({ format: 'png', width: 100, height: 100 });
    expect(result.body[25], 'colour type of PNG: grey').toBe(0);
  });

  test('a picture above the limit is refused before it is read', async () => {
    expect(await studio.codeOf(file('P5 9000 9000 255\n', Buffer.alloc(81e6)))).toBe('too_many_pixels');
    expect(await studio.codeOf(file('P4 20000 1\n', Buffer.alloc(2500)))).toBe('side_too_long');
  });
});

function ones(count: number): number[] {
  return Array<number>(count).fill(255);
}
