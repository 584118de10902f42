// The sample catalog: twelve lines, pictures of every kind, drawn here and encoded in a real sandbox.

import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readConfig } from '../src/config.ts';
import type { Sandbox } from '../src/imaging/imaging.ts';
import { openSandbox } from '../src/imaging/sandbox.ts';
import { sampleCatalog } from '../src/samples/catalog.ts';
import { paint, withOrientation } from '../src/samples/paint.ts';
import { samplePicture } from '../src/samples/pictures.ts';
import { silent } from './support/databases.ts';

const publicUrl = 'https://images.example.com';

describe('catalog', () => {
  const lines = sampleCatalog(publicUrl).split('\r\n');

  test('twelve lines below a header that every surface reads', () => {
    expect(lines[0]).toBe('S. No.,Product Name,Input Image Urls');
    expect(lines.slice(1, -1)).toHaveLength(12);
    expect(lines.at(-1)).toBe('');
  });

  test('one line has two pictures, and all URLs lie below the public address', () => {
    const urls = lines.slice(1).map((line) => line.match(/https?:[^",]+/g) ?? []);
    expect(urls.filter((each) => each.length === 2)).toHaveLength(1);
    expect(urls.flat()).toHaveLength(13);
    expect(urls.flat().every((url) => url.startsWith(`${publicUrl}/static/samples/`))).toBe(true);
  });
});

describe('pictures', () => {
  let sandbox: Sandbox;
  beforeAll(async () => {
    sandbox = await openSandbox({ ...readConfig({}).config, slots: 1, log: silent });
  });
  afterAll(() => sandbox.close());

  const bytesOf = async (name: string) => Buffer.concat((await samplePicture({ sandbox }, name))?.body ?? []);

  test.each([
    ['01.jpg', 'jpeg', 1000, 1000, false],
    ['02.jpg', 'jpeg', 900, 1200, false],
    ['03.jpg', 'jpeg', 900, 900, false],
    ['04.jpg', 'jpeg', 900, 900, false],
    ['05.jpg', 'jpeg', 1200, 800, false],
    ['06.webp', 'webp', 1200, 800, false],
    ['07.png', 'png', 800, 800, true],
    ['08.webp', 'webp', 640, 800, true],
    ['09.jpg', 'jpeg', 1200, 900, false],
    ['10.jpg', 'jpeg', 4000, 3000, false],
    ['11.png', 'png', 24, 24, false],
  ])('%s is %s of %ix%i', async (name, format, width, height, hasAlpha) => {
    const bytes = await bytesOf(name);
    expect(await sharp(bytes).metadata()).toMatchObject({ format, width, height, hasAlpha });
    expect((await samplePicture({ sandbox }, name))?.mediaType).toBe(`image/${format}`);
    // A picture of one colour would show nothing.
    expect((await sharp(bytes).stats()).entropy).toBeGreaterThan(1);
  });

  test('what is transparent is so in the corner and not in the middle', async () => {
    for (const name of ['07.png', '08.webp']) {
      const alpha = await sharp(await bytesOf(name))
        .extractChannel('alpha')
        .raw()
        .toBuffer({ resolveWithObject: true });
      const { width, height } = alpha.info;
      expect(alpha.data[0]).toBe(0);
      expect(alpha.data[Math.floor(height / 2) * width + Math.floor(width / 2)]).toBeGreaterThan(200);
    }
  });

  test('the portrait lies on its side and says so: turned, the hair is above and the coat below', async () => {
    const stored = await bytesOf('09.jpg');
    expect((await sharp(stored).metadata()).orientation).toBe(6);
    const { data, info } = await sharp(stored).autoOrient().raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([900, 1200]);
    const at = (x: number, y: number) => [...data.subarray((y * info.width + x) * 3, (y * info.width + x) * 3 + 3)];
    const [hairRed = 0, , hairBlue = 0] = at(450, 280);
    const [coatRed = 0, , coatBlue = 0] = at(450, 1150);
    expect(hairRed).toBeGreaterThan(hairBlue);
    expect(coatBlue).toBeGreaterThan(coatRed);
  });

  test('one file is no picture, one is missing, and odd names find nothing', async () => {
    expect((await bytesOf('12.jpg')).toString()).toMatch(/could not be found/);
    for (const name of ['13.jpg', '__proto__', 'constructor', '../catalog.csv', ''])
      expect(await samplePicture({ sandbox }, name)).toBeUndefined();
  });

  test('a picture is made once, however often it is asked for', async () => {
    const before = sandbox.children().reduce((sum, child) => sum + child.done, 0);
    const all = await Promise.all([1, 2, 3].map(() => samplePicture({ sandbox }, '01.jpg')));
    expect(new Set(all).size).toBe(1);
    expect(sandbox.children().reduce((sum, child) => sum + child.done, 0)).toBe(before);
  });
});

test('a drawing is written row by row, as red, green and blue', async () => {
  const drawn = await paint({ width: 3, height: 2, scene: (x, y) => [x, y, 0.5] });
  expect(drawn.toString('hex')).toBe(
    `${Buffer.from('P6\n3 2\n255\n').toString('hex')}2b40808040 80d54080 2bbf80 80bf80d5bf80`.replaceAll(' ', ''),
  );
});

test('the orientation stands in an EXIF segment right after the first marker', () => {
  const marked = withOrientation(Buffer.from([0xff, 0xd8, 0xff, 0xd9]), 6);
  expect(marked.subarray(2, 12).toString('latin1')).toBe('\u00ff\u00e1\u0000\u0022Exif\0\0');
  expect(marked.subarray(-2)).toEqual(Buffer.from([0xff, 0xd9]));
});
