import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { curveOf, likeness, type Plane } from '../src/imaging/quality.ts';
import { difference, photo, pixelsOf, plain, type Raw, sharpOf } from './support/pictures-made.ts';
import { openStudio } from './support/pictures-sandbox.ts';

let studio: Awaited<ReturnType<typeof openStudio>>;
let source: Buffer;
let drawn: Raw;

beforeAll(async () => {
  studio = await openStudio();
  const soft = sharpOf(photo(480, 360)).blur(1.1);
  source = await soft.png().toBuffer();
  drawn = await pixelsOf(source);
});
afterAll(() => studio.sandbox.close());

const plane = ({ data, width, height }: Raw): Plane => ({ data, width, height });
const noisy = ({ data, ...rest }: Raw, levels: number): Raw => {
  let seed = 5;
  const next = () => (seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0) / 2 ** 32 - 0.5;
  return {
    ...rest,
    data: Buffer.from(data.map((value) => Math.max(0, Math.min(255, value + Math.round(next() * levels))))),
  };
};
/** The picture in a corner of three times its area of white. */
function onWhite({ data, width, height }: Raw): Raw {
  const white = plain(width * 2, height * 2, [255]);
  for (let y = 0; y < height; y++) data.copy(white.data, y * white.width, y * width, (y + 1) * width);
  return white;
}

describe('likeness', () => {
  const grey = photo(160, 120, 1);

  test('of a picture to itself is one, and falls as noise grows', () => {
    expect(likeness(plane(grey), plane(grey))).toBeCloseTo(1, 9);
    const scores = [4, 12, 40, 120].map((levels) => likeness(plane(grey), plane(noisy(grey, levels)))!);
    expect(scores).toEqual(scores.toSorted((a, b) => b - a));
    expect(scores[0]).toBeGreaterThan(0.9);
    expect(scores[3]).toBeLessThan(0.6);
  });

  test('is not flattered by white around the picture', () => {
    const alone = likeness(plane(grey), plane(noisy(grey, 30)))!;
    const framed = likeness(plane(onWhite(grey)), plane(onWhite(noisy(grey, 30))))!;
    expect(Math.abs(framed - alone)).toBeLessThan(0.02);
  });

  test('of a flat graphic is not to be had', () => {
    expect(likeness(plane(plain(90, 90, [200])), plane(plain(90, 90, [201])))).toBeUndefined();
  });

  test.each(['jpeg', 'webp', 'avif'] as const)('grows with the quality of %s, and the table turns round', (format) => {
    const curve = curveOf(format, 'balanced');
    for (let quality = 32; quality < 88; quality += 3) {
      expect(curve.scoreAt(quality + 1)).toBeGreaterThan(curve.scoreAt(quality));
      expect(curve.qualityFor(curve.scoreAt(quality))).toBeCloseTo(quality, 6);
    }
  });
});

describe('target', () => {
  test.each(['jpeg', 'webp', 'avif'])(
    'gives more bytes of %s for a better look, and says what was reached',
    async (format) => {
      const results = [];
      for (const level of ['low', 'medium', 'high'])
        results.push(await studio.render(source, `${format}/target:${level}`));
      const [low, medium, high] = results as [(typeof results)[0], (typeof results)[0], (typeof results)[0]];
      expect([low.bytes, medium.bytes, high.bytes]).toEqual(
        [low, medium, high].map(({ bytes }) => bytes).toSorted((a, b) => a - b),
      );
      for (const [index, { score, quality, encodes, warnings }] of results.entries()) {
        expect(encodes).toBeLessThanOrEqual(4);
        expect(quality).toBeGreaterThanOrEqual(20);
        if (warnings.includes('target_not_reached')) continue;
        expect(score).toBeGreaterThanOrEqual([0.9, 0.94, 0.97][index]! - 0.002);
      }
      const far = async ({ body }: { body: Buffer }) => difference(await pixelsOf(body), drawn).mean;
      expect(await far(high)).toBeLessThan(await far(low));
    },
  );

  test('the quality it finds gives the same file when it is asked for', async () => {
    const found = await studio.render(source, 'fit:300x/jpeg/target:0.95');
    const asked = await sharp(source).resize(300, 225).jpeg({ quality: found.quality! }).toBuffer();
    expect(difference(await pixelsOf(found.body), await pixelsOf(asked)).mean).toBeLessThan(0.1);
  });

  test('a flat graphic is written as usual', async () => {
    const flat = await sharpOf(plain(200, 200, [10, 90, 200]))
      .png()
      .toBuffer();
    expect(await studio.render(flat, 'jpeg/target:high')).toMatchObject({ quality: 80, score: null, warnings: [] });
  });

  test('nothing becomes larger by it', async () => {
    const pressed = await sharp(source).jpeg({ quality: 30 }).toBuffer();
    const result = await studio.render(pressed, 'target:lossless-looking');
    expect(result.bytes).toBeLessThanOrEqual(pressed.length);
    expect(result.warnings).toContain('kept_original');
  });
});

describe('max-bytes', () => {
  test.each([
    ['jpeg', 15_000],
    ['jpeg', 3_000],
    ['webp', 8_000],
    ['avif', 5_000],
    ['png', 20_000],
    ['webp:lossless=true', 30_000],
  ])('of %s keeps below %d', async (format, limit) => {
    const { body, width, height, warnings } = await studio.render(source, `${format}/max-bytes:${limit}`);
    expect(body.length).toBeLessThanOrEqual(limit);
    expect(body.length).toBeGreaterThan(limit / 3);
    expect(await sharp(body).metadata()).toMatchObject({ width, height });
    expect(warnings).not.toContain('target_not_reached');
  });

  test('leaves alone what is small enough', async () => {
    const plainly = await studio.render(source, 'jpeg:80');
    const { body, encodes } = await studio.render(source, 'jpeg:80/max-bytes:10mb');
    expect([body.equals(plainly.body), encodes]).toEqual([true, 1]);
  });

  test('says when it cannot be', async () => {
    const { warnings } = await studio.render(source, 'avif/max-bytes:100');
    expect(warnings).toContain('target_not_reached');
  });
});
