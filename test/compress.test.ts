import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import sharp, { type Sharp } from 'sharp';
import { lumaTableSum, writtenTableSum } from '../src/imaging/jpeg-file.ts';
import { photo, pixelsOf, sharpOf } from './support/pictures-made.ts';
import { openStudio } from './support/pictures-sandbox.ts';

let studio: Awaited<ReturnType<typeof openStudio>>;
const secret = 'SECRET-PLACE-IN-EXIF';
const picture = () => sharpOf(photo(320, 240));

beforeAll(async () => {
  studio = await openStudio();
});
afterAll(() => studio.sandbox.close());

const qualities = [30, 50, 70, 85, 95].flatMap((quality) => [false, true].map((mozjpeg) => ({ quality, mozjpeg })));

describe('never larger', () => {
  test.each(qualities)('JPEG of $quality, mozjpeg $mozjpeg', async (options) => {
    const source = await picture().jpeg(options).toBuffer();
    const result = await studio.render(source, 'compress:50');
    expect(result.bytes).toBeLessThanOrEqual(source.length);
    expect(result.warnings).not.toContain('larger_than_source');
    const kept = result.keptOriginal ? result.body : source;
    expect((await pixelsOf(kept)).data.equals((await pixelsOf(source)).data)).toBe(true);
  });

  test.each([
    ['PNG', 'compress:50', () => picture().png({ palette: true, quality: 10, effort: 10, colours: 4 })],
    ['PNG', [], () => picture().png({ compressionLevel: 9 })],
    ['WebP', 'compress:80', () => picture().webp({ quality: 10, effort: 6 })],
    ['AVIF', 'compress:90', () => picture().avif({ quality: 20, effort: 4 })],
  ])('%s through %j', async (_format, pipeline, make) => {
    const source = await make().toBuffer();
    const result = await studio.render(source, pipeline);
    expect(result.bytes).toBeLessThanOrEqual(source.length);
    const kept = result.keptOriginal ? result.body : source;
    expect((await pixelsOf(kept)).data.equals((await pixelsOf(source)).data)).toBe(true);
  });

  test('a picture that was pressed harder is kept, and said', async () => {
    const source = await picture().jpeg({ quality: 20 }).toBuffer();
    const result = await studio.render(source, 'compress:50');
    expect(result).toMatchObject({ keptOriginal: true, quality: null, warnings: ['kept_original'] });
  });

  test('a picture pressed as hard as asked is not pressed again, although its code could be packed better', async () => {
    const source = await picture().jpeg({ quality: 50, optimiseCoding: false }).toBuffer();
    const again = await sharp(source).jpeg({ quality: 50 }).toBuffer();
    expect(again.length).toBeLessThan(source.length);
    expect(await studio.render(source, 'compress:50')).toMatchObject({ keptOriginal: true });
  });

  test('the guard is off once there is an operation or another format', async () => {
    const source = await picture().jpeg({ quality: 20 }).toBuffer();
    expect((await studio.render(source, 'fit:900x/compress:95')).keptOriginal).toBe(false);
    expect((await studio.render(source, 'png')).keptOriginal).toBe(false);
  });

  test('a picture on its side is coded upright, although that may be larger', async () => {
    const source = await picture().jpeg({ quality: 20 }).withMetadata({ orientation: 6 }).toBuffer();
    const result = await studio.render(source, 'compress:95');
    expect(result).toMatchObject({ keptOriginal: false, width: 240, height: 320 });
    expect(result.warnings).toContain('larger_than_source');
  });

  test('half a JPEG is no result, however coarse it is', async () => {
    const source = await picture().jpeg({ quality: 10 }).toBuffer();
    expect(await studio.codeOf(source.subarray(0, source.length / 2), 'compress:50')).toBe('corrupt_image');
  });

  test.each([10, 30, 50, 75, 90, 100])(
    'the tables we foresee at quality %d are the tables that are written',
    async (quality) => {
      for (const mozjpeg of [false, true])
        expect(lumaTableSum(await picture().jpeg({ quality, mozjpeg }).toBuffer())).toBe(
          writtenTableSum(quality, mozjpeg),
        );
    },
  );
});

describe('metadata', () => {
  const withSecret = (image: Sharp) => image.withExif({ IFD0: { ImageDescription: secret } });
  const tail = Buffer.from(`TRAILING-${secret}`);
  const comment = Buffer.concat([Buffer.from([0xff, 0xfe, 0, secret.length + 2]), Buffer.from(secret)]);

  test.each([
    ['JPEG, coded anew', 'compress:50', () => withSecret(picture().jpeg({ quality: 95 }))],
    ['JPEG, kept', 'compress:90', () => withSecret(picture().jpeg({ quality: 20 }))],
    ['PNG, kept', [], () => withSecret(picture().png({ compressionLevel: 9, adaptiveFiltering: true }))],
    ['WebP, kept', 'compress:95', () => withSecret(picture().webp({ quality: 10, effort: 6 }))],
    ['AVIF, kept', 'compress:95', () => withSecret(picture().avif({ quality: 20 }))],
  ])('nothing of it is left in %s', async (what, pipeline, make) => {
    const coded = await make().toBuffer();
    expect(coded.includes(secret)).toBe(true);
    const source = what.startsWith('AVIF') ? coded : Buffer.concat([coded, tail]);
    const result = await studio.render(source, pipeline);
    expect(result.keptOriginal).toBe(what.endsWith('kept'));
    expect(result.body.includes(secret)).toBe(false);
    expect(result.bytes).toBeLessThanOrEqual(source.length);
  });

  test('a comment of JPEG is cut out of a kept picture, its profile is not', async () => {
    const coded = await picture().withIccProfile('p3').jpeg({ quality: 20 }).toBuffer();
    const source = Buffer.concat([coded.subarray(0, 2), comment, coded.subarray(2)]);
    const { body, keptOriginal } = await studio.render(source, 'compress:50');
    expect(keptOriginal).toBe(true);
    expect(body.includes(secret)).toBe(false);
    expect((await sharp(body).metadata()).icc).toBeDefined();
  });
});
