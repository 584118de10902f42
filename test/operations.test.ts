import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import sharp from 'sharp';
import { operations } from '../src/imaging/operations/index.ts';
import { photo, pixelsOf, plain, sharpOf } from './support/pictures-made.ts';
import { openStudio } from './support/pictures-sandbox.ts';

let studio: Awaited<ReturnType<typeof openStudio>>;
const made = new Map<string, Buffer>();

beforeAll(async () => {
  studio = await openStudio();
  made.set('photo', await sharpOf(photo(160, 80)).jpeg({ quality: 90 }).toBuffer());
  made.set(
    'alpha',
    await sharpOf(photo(120, 90, 4))
      .png()
      .toBuffer(),
  );
  made.set('grey', await sharpOf(photo(90, 60)).grayscale().toColourspace('b-w').png().toBuffer());
  made.set('turned', await sharpOf(photo(160, 120)).withMetadata({ orientation: 6 }).jpeg().toBuffer());
  made.set('deep', await sharpOf(photo(64, 48)).toColourspace('rgb16').png().toBuffer());
  made.set('cmyk', await sharpOf(photo(64, 48)).toColourspace('cmyk').jpeg().toBuffer());
  made.set(
    'dot',
    await sharpOf(plain(1, 1, [200, 10, 10]))
      .png()
      .toBuffer(),
  );
  made.set('strip', await sharpOf(photo(9, 1000)).jpeg().toBuffer());
  made.set('twin', await sharpOf(photo(1, 2)).png().toBuffer());
  made.set('gif', await sharpOf(photo(40, 30)).gif().toBuffer());
  made.set(
    'webp',
    await sharpOf(photo(50, 40, 4))
      .webp()
      .toBuffer(),
  );
});
afterAll(() => studio.sandbox.close());

// pipeline, picture, format, width, height
const table: [string, string, string, number, number][] = [
  ['resize:40x40', 'photo', 'jpeg', 40, 40],
  ['resize:40x', 'photo', 'jpeg', 40, 20],
  ['resize:40x40:stretch', 'alpha', 'png', 40, 40],
  ['cover:40x60', 'photo', 'jpeg', 40, 60],
  ['cover:40x60:at=left', 'turned', 'jpeg', 40, 60],
  ['cover:400x300', 'dot', 'png', 400, 300],
  ['cover:400x40:enlarge=false', 'photo', 'jpeg', 160, 40],
  ['fit:40x40', 'photo', 'jpeg', 40, 20],
  ['fit:x20', 'photo', 'jpeg', 40, 20],
  ['fit:400x400', 'photo', 'jpeg', 160, 80],
  ['fit:400x400:enlarge=true', 'photo', 'jpeg', 400, 200],
  ['fit:60x60', 'turned', 'jpeg', 45, 60],
  ['fit:1x', 'strip', 'jpeg', 1, 111],
  ['fit:x99:enlarge=true/crop:1x1:at=right-bottom', 'twin', 'png', 1, 1],
  ['pad:100x100', 'photo', 'jpeg', 100, 100],
  ['pad:100x100:bg=transparent', 'alpha', 'png', 100, 100],
  ['stretch:30x90', 'photo', 'jpeg', 30, 90],
  ['stretch:300x40:enlarge=false', 'photo', 'jpeg', 160, 40],
  ['scale:50%', 'photo', 'jpeg', 80, 40],
  ['scale:37.5', 'turned', 'jpeg', 45, 60],
  ['scale:200', 'dot', 'png', 2, 2],
  ['crop:40x30', 'photo', 'jpeg', 40, 30],
  ['crop:40x30:100:60', 'photo', 'jpeg', 40, 20],
  ['crop:40x:at=right', 'turned', 'jpeg', 40, 160],
  ['trim', 'dot', 'png', 1, 1],
  ['orient', 'turned', 'jpeg', 120, 160],
  ['rotate:90', 'photo', 'jpeg', 80, 160],
  ['rotate:-180', 'turned', 'jpeg', 120, 160],
  ['rotate:45', 'photo', 'jpeg', 170, 170],
  ['rotate:30:bg=transparent', 'alpha', 'png', 149, 138],
  ['flip', 'photo', 'jpeg', 160, 80],
  ['flop', 'grey', 'png', 90, 60],
  ['blur', 'photo', 'jpeg', 160, 80],
  ['blur:0.3', 'dot', 'png', 1, 1],
  ['sharpen:2', 'alpha', 'png', 120, 90],
  ['preset:small', 'photo', 'jpeg', 40, 20],
  ['flatten:ff0000', 'alpha', 'png', 120, 90],
  ['grayscale', 'photo', 'jpeg', 160, 80],
  ['grayscale/fit:50x', 'cmyk', 'jpeg', 50, 38],
  ['jpeg', 'alpha', 'jpeg', 120, 90],
  ['png', 'photo', 'png', 160, 80],
  ['png:colors=8', 'photo', 'png', 160, 80],
  ['webp', 'alpha', 'webp', 120, 90],
  ['webp:lossless=true', 'deep', 'webp', 64, 48],
  ['avif', 'grey', 'avif', 90, 60],
  ['format:webp', 'dot', 'webp', 1, 1],
  ['quality:40', 'webp', 'webp', 50, 40],
  ['compress:50', 'photo', 'jpeg', 160, 80],
  ['target:low', 'photo', 'jpeg', 160, 80],
  ['max-bytes:50kb', 'photo', 'jpeg', 160, 80],
  ['effort:small', 'photo', 'jpeg', 160, 80],
  ['strip', 'turned', 'jpeg', 120, 160],
  ['fit:20x20', 'gif', 'png', 20, 15],
];

describe('operations', () => {
  test.each(table)('%s of %s is %s %dx%d', async (pipeline, picture, format, width, height) => {
    const result = await studio.render(made.get(picture)!, pipeline);
    expect(result).toMatchObject({ format, width, height });
    const found = await sharp(result.body).metadata();
    expect({ width: found.width, height: found.height }).toEqual({ width, height });
    expect(found).not.toHaveProperty('exif');
  });

  test('every operation has a row', () => {
    const rows = table.map(([pipeline]) => pipeline.split(':')[0]);
    expect(operations.map(({ name }) => name).filter((name) => !rows.some((row) => row?.startsWith(name)))).toEqual([]);
  });
});

describe('pixels', () => {
  test('grayscale leaves no colour, and one channel in PNG', async () => {
    const { body } = await studio.render(made.get('photo')!, 'grayscale/png');
    expect((await sharp(body).metadata()).channels).toBe(1);
    const { data } = await sharp(body).toColourspace('srgb').raw().toBuffer({ resolveWithObject: true });
    for (let at = 0; at < data.length; at += 3)
      expect(data[at] === data[at + 1] && data[at] === data[at + 2]).toBe(true);
  });

  test('grayscale keeps alpha', async () => {
    const { body } = await studio.render(made.get('alpha')!, 'grayscale');
    expect(await sharp(body).metadata()).toMatchObject({ channels: 2, hasAlpha: true });
  });

  test('pad fills the corners with its colour', async () => {
    const { data, channels } = await pixelsOf(
      (await studio.render(made.get('photo')!, 'pad:90x90:bg=00ff00/png')).body,
    );
    expect([...data.subarray(0, 3)]).toEqual([0, 255, 0]);
    expect([...data.subarray(-channels).subarray(0, 3)]).toEqual([0, 255, 0]);
  });

  test('pad in colour stays in colour on a grey picture', async () => {
    const { data } = await pixelsOf((await studio.render(made.get('grey')!, 'pad:90x90:bg=ff0000')).body);
    expect([...data.subarray(0, 3)]).toEqual([255, 0, 0]);
  });

  test('what is transparent becomes white in JPEG, and is said', async () => {
    const clear = await sharpOf(plain(16, 16, [0, 0, 0, 0]))
      .png()
      .toBuffer();
    const { body, warnings } = await studio.render(clear, 'jpeg');
    expect((await pixelsOf(body)).data[0]).toBe(255);
    expect(warnings).toContain('alpha_flattened');
    const padded = await studio.render(clear, 'pad:20x16:bg=transparent/jpeg');
    expect((await pixelsOf(padded.body)).data[0]).toBe(255);
  });

  test('16 bit become 8', async () => {
    const { body } = await studio.render(made.get('deep')!, 'png');
    expect((await sharp(body).metadata()).depth).toBe('uchar');
  });

  test('CMYK becomes RGB', async () => {
    const { body } = await studio.render(made.get('cmyk')!, []);
    expect((await sharp(body).metadata()).space).toBe('srgb');
  });
});

describe('results', () => {
  test('a format nobody can keep is replaced, and said', async () => {
    const { warnings, rendering } = await studio.render(made.get('gif')!);
    expect(warnings).toContain('format_substituted');
    expect(rendering.source).toMatchObject({ format: 'gif', mediaType: 'image/gif', width: 40, height: 30, frames: 1 });
  });

  test('of an animation the first picture is taken, and said', async () => {
    const frames = [plain(10, 10, [255, 0, 0]), plain(10, 10, [0, 0, 255])].map(({ data }) => data);
    const both = { data: Buffer.concat(frames), width: 10, height: 20, channels: 3 };
    const gif = await sharp(both.data, { raw: { width: 10, height: 20, channels: 3, pageHeight: 10 } })
      .gif()
      .toBuffer();
    const { body, warnings, height } = await studio.render(gif);
    expect(warnings).toContain('animation_dropped');
    expect(height).toBe(10);
    expect((await pixelsOf(body)).data[0]).toBeGreaterThan(250);
  });

  test('quality on lossless WebP is ignored, and said', async () => {
    expect((await studio.render(made.get('photo')!, 'webp:70:lossless=true')).warnings).toContain('quality_ignored');
  });

  test('scaling up is said', async () => {
    expect((await studio.render(made.get('photo')!, 'cover:200x200')).warnings).toContain('upscaled');
    expect((await studio.render(made.get('photo')!, 'fit:200x200')).warnings).not.toContain('upscaled');
  });

  test('several renditions come together, or none does', async () => {
    const { renditions } = await studio.renderAll(made.get('photo')!, { big: 'fit:100x', small: 'fit:50x/webp' });
    expect(renditions.map(({ name, format, width }) => [name, format, width])).toEqual([
      ['big', 'jpeg', 100],
      ['small', 'webp', 50],
    ]);
    const tooLarge = studio.renderAll(made.get('photo')!, {
      fine: 'fit:9x9',
      large: 'fit:8000x8000:enlarge=true/avif',
    });
    await expect(tooLarge).rejects.toMatchObject({ code: 'output_too_large' });
  });

  test.each([
    ['compress:50', () => sharp(made.get('photo'), { autoOrient: true }).jpeg({ quality: 50 })],
    [
      'fit:80x60/jpeg',
      () =>
        sharp(made.get('photo'), { autoOrient: true })
          .resize(80, 60, { fit: 'inside', withoutEnlargement: true })
          .jpeg({ quality: 80 }),
    ],
    [
      'resize:10x10/grayscale/jpeg',
      () =>
        sharp(made.get('photo'), { autoOrient: true })
          .resize(10, 10)
          .grayscale()
          .toColourspace('b-w')
          .jpeg({ quality: 80 }),
    ],
  ])('%s gives the bytes of bare sharp', async (pipeline, bare) => {
    expect((await studio.render(made.get('photo')!, pipeline)).body.equals(await bare().toBuffer())).toBe(true);
  });
});
