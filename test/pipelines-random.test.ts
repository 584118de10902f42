// Whatever valid pipeline meets whatever picture, the sandbox gives a file of the size foreseen, or says why not.

import * as fc from 'fast-check';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { outputBox, outputSlack, uprightBox } from '../src/imaging/boxes.ts';
import { parsePipeline } from '../src/imaging/grammar.ts';
import { photo, sharpOf } from './support/pictures-made.ts';
import { grammarOptions, openStudio } from './support/pictures-sandbox.ts';

const runs = Number(process.env.PIPELINE_RUNS ?? 60);
let studio: Awaited<ReturnType<typeof openStudio>>;
beforeAll(async () => {
  // Small results: what is asked here is whether, not how fast.
  studio = await openStudio({ slots: 2, maxOutputSide: 1000 });
});
afterAll(() => studio.sandbox.close());

const side = fc.integer({ min: 1, max: 300 });
const box = fc.oneof(
  fc.tuple(side, side).map(([w, h]) => `${w}x${h}`),
  side.map((w) => `${w}x`),
  side.map((h) => `x${h}`),
);
const color = fc.constantFrom('red', 'fff', '12345678', 'transparent');
const place = fc.constantFrom('center', 'left', 'right-bottom');
const drawing = fc.oneof(
  fc.tuple(fc.constantFrom('fit', 'cover', 'pad', 'stretch', 'resize'), box).map(([name, size]) => `${name}:${size}`),
  fc.tuple(box, color).map(([size, bg]) => `pad:${size}:bg=${bg}`),
  fc.integer({ min: 1, max: 200 }).map((percent) => `scale:${percent}`),
  fc.tuple(box, place).map(([size, at]) => `crop:${size}:at=${at}`),
  fc.tuple(box, fc.nat(200), fc.nat(200)).map(([size, x, y]) => `crop:${size}:${x}:${y}`),
  fc.tuple(fc.integer({ min: -360, max: 360 }), color).map(([angle, bg]) => `rotate:${angle}:bg=${bg}`),
  fc.constantFrom('rotate:90', 'rotate:270', 'trim', 'trim:40:bg=red', 'flip', 'flop', 'orient', 'grayscale'),
  fc.constantFrom('flatten', 'flatten:0f0', 'blur', 'blur:0.3', 'sharpen', 'sharpen:9.9'),
);
const output = fc.constantFrom(
  'jpeg:q=30:progressive=true',
  'png',
  'png:40',
  'png:colors=3',
  'webp',
  'webp:lossless=1',
);
const more = fc.constantFrom(
  'avif:30:effort=0',
  'keep',
  'quality:20',
  'compress',
  'effort:small',
  'strip',
  'format:jpg',
);
const searched = fc.constantFrom('target:low', 'webp/target:0.9', 'max-bytes:900', 'webp/max-bytes:2kb');
const pipelines = fc
  .tuple(fc.array(drawing, { maxLength: 4 }), fc.oneof(output, more, searched))
  .map(([ops, out]) => [...ops, ...(out === 'keep' ? [] : [out])]);

const kinds = [
  'jpeg',
  'turned',
  'png',
  'grey',
  'grey alpha',
  'deep',
  'palette',
  'webp',
  'cmyk',
  'gif',
  'tiff',
] as const;
const pictures = fc.record({
  kind: fc.constantFrom(...kinds),
  width: fc.constantFrom(1, 2, 3, 7, 64, 151),
  height: fc.constantFrom(1, 2, 5, 48, 90),
});

async function made({ kind, width, height }: { kind: string; width: number; height: number }): Promise<Buffer> {
  const image = sharpOf(photo(width, height));
  const clear = sharpOf(photo(width, height, 4));
  if (kind === 'jpeg') return image.jpeg().toBuffer();
  if (kind === 'turned') return image.withMetadata({ orientation: 5 }).jpeg().toBuffer();
  if (kind === 'grey') return image.toColourspace('b-w').jpeg().toBuffer();
  if (kind === 'grey alpha') return clear.toColourspace('b-w').png().toBuffer();
  if (kind === 'deep') return clear.toColourspace('rgb16').png().toBuffer();
  if (kind === 'palette') return clear.png({ palette: true }).toBuffer();
  if (kind === 'webp') return clear.webp().toBuffer();
  if (kind === 'cmyk') return image.toColourspace('cmyk').jpeg().toBuffer();
  if (kind === 'gif') return clear.gif().toBuffer();
  if (kind === 'tiff') return clear.tiff().toBuffer();
  return clear.png().toBuffer();
}

/** The codes with which a valid pipeline may end on a whole picture. */
const honest = new Set(['transform_failed', 'output_too_large']);

/** What is wrong with the result of a pipeline; '' where nothing is. */
async function faultOf(source: Buffer, pipeline: string[]): Promise<string> {
  const result = await studio.render(source, pipeline).catch((error: Error & { code?: string }) => error);
  if (result instanceof Error) return honest.has(result.code ?? '') ? '' : `ended with ${result.code}`;
  const { width, height, exif } = await sharp(result.body).metadata();
  await sharp(result.body).raw().toBuffer();
  if (exif) return 'has metadata';
  if (width !== result.width || height !== result.height) return `is ${width}x${height} and says otherwise`;
  const { orientation = 1, ...stored } = await sharp(source).metadata();
  const { ops, out } = parsePipeline(pipeline, grammarOptions);
  const upright = uprightBox({ ...stored, orientation });
  const foreseen = outputBox(ops, upright);
  // sharp rounds within a pixel: halves to even, and where it shrinks JPEG on load.
  const slack = outputSlack(ops, upright);
  // What must stay below so many bytes may come out smaller than it was drawn.
  const fits =
    !foreseen ||
    out.maxBytes !== undefined ||
    Math.max(Math.abs(width - foreseen.width), Math.abs(height - foreseen.height)) <= slack;
  return fits ? '' : `is ${width}x${height} instead of ${foreseen.width}x${foreseen.height}`;
}

/** The same for several renditions of one picture. */
async function faultOfFamily(source: Buffer, pipelinesByName: Record<string, string[]>): Promise<string> {
  const result = await studio.renderAll(source, pipelinesByName).catch((error: Error & { code?: string }) => error);
  if (result instanceof Error) return honest.has(result.code ?? '') ? '' : `ended with ${result.code}`;
  const names = result.renditions.map(({ name }) => name).join(' ');
  if (names !== Object.keys(pipelinesByName).join(' ')) return `came in the order ${names}`;
  for (const { name, body, width, height } of result.renditions) {
    const found = await sharp(Buffer.concat(body)).metadata();
    if (found.width !== width || found.height !== height) return `${name} is ${found.width}x${found.height}`;
  }
  return '';
}

describe('any valid pipeline', () => {
  test('gives a picture that opens, of the size foreseen, or a code', { timeout: runs * 1000 + 30_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(pictures, pipelines, async (picture, pipeline) => {
        expect(await faultOf(await made(picture), pipeline)).toBe('');
      }),
      { numRuns: runs },
    );
    expect(studio.sandbox.children().every(({ busy }) => !busy)).toBe(true);
  });

  test('stands beside others in one image, in any order', { timeout: runs * 1000 + 30_000 }, async () => {
    const families = fc.uniqueArray(fc.integer({ min: 1, max: 200 }), { minLength: 2, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(pictures, families, fc.array(pipelines, { maxLength: 2 }), async (picture, widths, others) => {
        const family = widths.map((width) => [`fit:${width}x`, width % 2 ? 'webp' : 'jpeg']);
        const named = Object.fromEntries([...family, ...others].map((pipeline, index) => [`r${index}`, pipeline]));
        expect(await faultOfFamily(await made(picture), named)).toBe('');
      }),
      { numRuns: Math.ceil(runs / 3) },
    );
  });
});
