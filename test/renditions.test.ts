// Several renditions of one picture come from one decode, and nobody sees it.

import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { planCascade } from '../src/imaging/cascade.ts';
import { parsePipeline } from '../src/imaging/grammar.ts';
import { difference, photo, pixelsOf, sharpOf } from './support/pictures-made.ts';
import { grammarOptions, openStudio } from './support/pictures-sandbox.ts';

let studio: Awaited<ReturnType<typeof openStudio>>;
const made = new Map<string, Buffer>();

beforeAll(async () => {
  studio = await openStudio();
  // Enlarged, so that it is as soft as photos of this size are.
  const soft = (channels: 3 | 4 = 3) => sharpOf(photo(120, 80, channels)).resize(1203, 801, { fit: 'fill' });
  made.set('photo', await soft().jpeg({ quality: 92 }).toBuffer());
  made.set('turned', await soft().withMetadata({ orientation: 8 }).jpeg({ quality: 92 }).toBuffer());
  made.set('grey', await soft().grayscale().toColourspace('b-w').png().toBuffer());
  made.set('alpha', await soft(4).png().toBuffer());
});
afterAll(() => studio.sandbox.close());

const cascade = (pipelines: string[], width = 1800, height = 1200) =>
  planCascade(
    pipelines.map((pipeline) => ({ recipe: parsePipeline(pipeline, grammarOptions) })),
    { width, height },
  ).map(({ index, from, whole }) => [index, from, whole?.width]);

describe('the cascade', () => {
  test.each([
    ['a single rendition is made from the source', ['fit:400x'], [[0, undefined, undefined]]],
    [
      'each takes the smallest picture of at least twice its size',
      ['fit:150x', 'fit:1600x', 'fit:400x', 'fit:800x'],
      [
        [1, undefined, 1600],
        [3, 0, 800],
        [2, 1, 400],
        [0, 2, 150],
      ],
    ],
    [
      'one that is too near the others is made from the source',
      ['fit:1000x', 'fit:900x', 'fit:500x'],
      [
        [0, undefined, 1000],
        [1, undefined, undefined],
        [2, 0, 500],
      ],
    ],
    [
      'cover hands down the whole picture, before it crops',
      ['cover:800x800', 'cover:100x100'],
      [
        [0, undefined, 1200],
        [1, 0, 150],
      ],
    ],
    [
      'what does not begin with a shrink decodes the source',
      ['crop:900x900/fit:400x', 'fit:3000x', 'grayscale/fit:100x', 'fit:400x:enlarge=true', 'fit:100x'],
      [
        [3, undefined, 400],
        [4, 0, 100],
        [0, undefined, undefined],
        [1, undefined, undefined],
        [2, undefined, undefined],
      ],
    ],
  ])('%s', (_what, pipelines, expected) => {
    expect(cascade(pipelines)).toEqual(expected);
  });

  test('a picture above 16 megapixels is not handed down', () => {
    expect(cascade(['fit:6000x', 'fit:400x'], 8000, 6000)).toEqual([
      [0, undefined, undefined],
      [1, undefined, undefined],
    ]);
  });
});

const family = {
  large: 'fit:1000x',
  square: 'cover:400x400',
  padded: 'pad:150x150:bg=336699',
  tiny: 'fit:60x60/flop',
};

describe('a family of renditions', () => {
  test.each(['photo', 'turned', 'grey', 'alpha'])('of %s looks as each of it would alone', async (kind) => {
    const pipelines = Object.fromEntries(Object.entries(family).map(([name, text]) => [name, `${text}/png`]));
    const { renditions } = await studio.renderAll(made.get(kind)!, pipelines);
    expect(renditions.map(({ name }) => name)).toEqual(Object.keys(family));
    for (const { name, body, width, height } of renditions) {
      const alone = await studio.render(made.get(kind)!, pipelines[name]);
      expect([name, width, height]).toEqual([name, alone.width, alone.height]);
      const together = Buffer.concat(body);
      expect((await sharp(together).metadata()).channels).toBe((await sharp(alone.body).metadata()).channels);
      const { mean, max } = difference(await pixelsOf(together), await pixelsOf(alone.body));
      // Transparency is weighed in 8 bit each time, which costs half a level a step.
      expect(mean, name).toBeLessThanOrEqual(kind === 'alpha' ? 1.5 : 1);
      expect(max, name).toBeLessThanOrEqual(12);
    }
  });

  test('says of each what would be said of it alone', async () => {
    const { renditions } = await studio.renderAll(made.get('alpha')!, {
      large: 'fit:500x/jpeg',
      wide: 'fit:200x/crop:300x50',
      huge: 'cover:1500x900',
    });
    expect(renditions.map(({ warnings }) => warnings)).toEqual([['alpha_flattened'], ['crop_clamped'], ['upscaled']]);
  });

  test('has the sizes that were foreseen, whatever is rounded on the way', async () => {
    const odd = await sharpOf(photo(1501, 1003)).jpeg().toBuffer();
    const widths = [1367, 683, 341, 170, 85, 42];
    const { renditions } = await studio.renderAll(
      odd,
      Object.fromEntries(widths.map((width) => [`w${width}`, `fit:${width}x`])),
    );
    expect(renditions.map(({ width, height }) => [width, height])).toEqual(
      widths.map((width) => [width, Math.round((1003 * width) / 1501)]),
    );
  });

  test('is there as a whole or not at all', async () => {
    const cut = made.get('photo')!.subarray(0, -9000);
    await expect(studio.renderAll(cut, { a: 'fit:900x', b: 'fit:100x' })).rejects.toMatchObject({
      code: 'corrupt_image',
    });
    const outside = studio.renderAll(made.get('photo')!, { a: 'fit:900x', b: 'fit:300x/crop:9x9:400:0' });
    await expect(outside).rejects.toMatchObject({
      code: 'transform_failed',
      message: 'Operation 2 could not be applied: the box lies outside the picture.',
    });
  });
});
