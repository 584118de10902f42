// What each operation does to pixels, against plain arithmetic on raw pixels that is written here and uses no libvips.

import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { operations } from '../src/imaging/operations/index.ts';
import { difference, photo, pixelsOf, type Raw, sharpOf } from './support/pictures-made.ts';
import * as by from './support/pictures-reference.ts';
import { openStudio } from './support/pictures-sandbox.ts';

let studio: Awaited<ReturnType<typeof openStudio>>;
beforeAll(async () => {
  studio = await openStudio();
});
afterAll(() => studio.sandbox.close());

/** Soft, as photos are: kernels differ most where one pixel has nothing to do with the next. */
const soft = by.blurred(photo(120, 81), 1.5);
const clear = by.blurred(photo(96, 70, 4), 1.5);
const framed = by.padded(soft, { width: 150, height: 111 }, [255, 136, 0], [20, 15]);
const pictures: Record<string, Raw> = { soft, clear, framed };

type Expected = (picture: Raw) => Raw;
const white = [255, 255, 255];
// Pipeline, picture, what plain arithmetic gives, mean difference allowed in levels. Larger where an encoder loses
// something on purpose, and where sharp scales up with another kernel than it scales down.
const table: [string, string, Expected, number][] = [
  ['resize:60x40', 'soft', (p) => by.cropped(by.scaled(p, 60, 41), { left: 0, top: 1, width: 60, height: 40 }), 1],
  [
    'cover:40x60:at=left',
    'soft',
    (p) => by.cropped(by.scaled(p, 89, 60), { left: 0, top: 0, width: 40, height: 60 }),
    1.5,
  ],
  ['fit:60x60', 'soft', (p) => by.scaled(p, 60, 41), 1],
  ['fit:240x:enlarge=true', 'soft', (p) => by.scaled(p, 240, 162), 2],
  ['fit:48x', 'clear', (p) => by.scaled(p, 48, 35), 1],
  [
    'pad:100x100:bg=336699',
    'soft',
    (p) => by.padded(by.scaled(p, 100, 68), { width: 100, height: 100 }, [51, 102, 153], [0, 16]),
    1,
  ],
  ['stretch:50x60', 'soft', (p) => by.scaled(p, 50, 60), 1],
  ['scale:50%', 'soft', (p) => by.scaled(p, 60, 41), 1],
  ['crop:50x40:30:20', 'soft', (p) => by.cropped(p, { left: 30, top: 20, width: 50, height: 40 }), 0],
  ['crop:51x40:at=center', 'soft', (p) => by.cropped(p, { left: 35, top: 21, width: 51, height: 40 }), 0],
  ['crop:50x40:at=right-bottom', 'soft', (p) => by.cropped(p, { left: 70, top: 41, width: 50, height: 40 }), 0],
  ['trim', 'framed', (p) => by.cropped(p, { left: 20, top: 15, width: 120, height: 81 }), 0],
  ['orient', 'soft', (p) => p, 0],
  ['rotate:90', 'soft', by.turned, 0],
  ['rotate:180', 'soft', (p) => by.turned(by.turned(p)), 0],
  ['rotate:-90', 'clear', (p) => by.turned(by.turned(by.turned(p))), 0],
  ['rotate:30:bg=ffffff', 'soft', (p) => by.slanted(p, 30, white), 2.5],
  ['flip', 'soft', by.flipped, 0],
  ['flop', 'clear', (p) => by.turned(by.turned(by.flipped(p))), 0],
  ['flatten:ff0000', 'clear', (p) => by.flattened(p, [255, 0, 0]), 0.7],
  ['grayscale', 'soft', by.grey, 3],
  ['blur:2', 'soft', (p) => by.blurred(p, 2), 0.7],
  ['blur:6', 'soft', (p) => by.blurred(p, 6), 2],
  ['sharpen:1', 'soft', (p) => p, 6],
  ['preset:small', 'soft', (p) => by.scaled(p, 40, 27), 4],
  ['jpeg:95:chroma=444', 'soft', (p) => p, 2],
  ['png', 'clear', (p) => p, 0],
  ['png:colors=64', 'soft', (p) => p, 5],
  ['webp:90', 'soft', (p) => p, 3],
  ['webp:lossless=true', 'clear', (p) => p, 0],
  ['avif:80', 'soft', (p) => p, 3],
  ['format:webp', 'soft', (p) => p, 4],
  ['quality:60', 'soft', (p) => p, 5],
  ['compress:50', 'soft', (p) => p, 5],
  ['target:high', 'soft', (p) => p, 0],
  ['jpeg/target:high', 'soft', (p) => p, 3],
  ['max-bytes:90000', 'soft', (p) => p, 0],
  ['effort:small', 'soft', (p) => p, 0],
  ['strip', 'soft', (p) => p, 0],
];

describe('pixels', () => {
  test.each(table)('%s of %s is what plain arithmetic gives', async (pipeline, name, expected, allowed) => {
    const picture = pictures[name]!;
    const source = await sharpOf(picture).png().toBuffer();
    const lossless = /jpeg|webp|avif|png|format|quality|compress|preset|effort|max-bytes/.test(pipeline) ? '' : '/png';
    const result = await studio.render(source, `${pipeline}${lossless}`);
    const wanted = expected(picture);
    expect([result.width, result.height]).toEqual([wanted.width, wanted.height]);
    const { channels } = await sharp(result.body).metadata();
    const opaque = pipeline.startsWith('flatten') || wanted.channels === 3;
    expect(channels).toBe(pipeline === 'grayscale' ? 1 : opaque ? 3 : 4);
    const { mean } = difference(await pixelsOf(result.body), wanted);
    expect(mean).toBeLessThanOrEqual(allowed);
  });

  test('every operation has a row', () => {
    const named = new Set(table.map(([pipeline]) => pipeline.split(':')[0]));
    expect(operations.map(({ name }) => name).filter((name) => !named.has(name))).toEqual([]);
  });

  test('sharpening makes edges steeper and leaves flat parts alone', async () => {
    const step: Raw = { data: Buffer.alloc(40 * 10 * 3), width: 40, height: 10, channels: 3 };
    for (let at = 0; at < 400; at++) step.data.fill(at % 40 < 20 ? 80 : 170, at * 3, at * 3 + 3);
    const edge = by.blurred(step, 1.5);
    const source = await sharpOf(edge).png().toBuffer();
    const { data } = await pixelsOf((await studio.render(source, 'sharpen:1.5')).body);
    const middle = (raw: Buffer, x: number) => raw[(5 * 40 + x) * 3]!;
    expect(middle(data, 21) - middle(data, 18)).toBeGreaterThan(middle(edge.data, 21) - middle(edge.data, 18) + 5);
    expect(Math.abs(middle(data, 2) - 80)).toBeLessThanOrEqual(1);
  });

  test('flip twice, four turns and a mirror of a mirror give the picture back', async () => {
    const source = await sharpOf(soft).png().toBuffer();
    for (const pipeline of [
      'flip/flip',
      'flop/flop',
      'rotate:90/rotate:90/rotate:90/rotate:90',
      'flip/flop/rotate:180',
    ])
      expect(difference(await pixelsOf((await studio.render(source, pipeline)).body), soft).max, pipeline).toBe(0);
  });
});
