import { fc } from './support/properties.ts';
import { describe, expect, test } from 'vitest';
import { formatPipeline, parsePipeline, recipeFromJson, recipeHash, recipeJson } from '../src/imaging/grammar.ts';
import type { Recipe } from '../src/imaging/imaging.ts';
import { pipelinesByName, presetsOf } from '../src/imaging/presets.ts';
import { Problem } from '../src/problem.ts';

const options = {
  maxOutputSide: 8192,
  effort: 'balanced' as const,
  presets: pipelinesByName(presetsOf({ pipeline: 'compress:50', uploadPipeline: 'fit:1500x' })),
};
const parse = (pipeline: unknown): Recipe => parsePipeline(pipeline, options);

/** More where somebody asks for it. */
const runs = (usual: number): number => Number(process.env.GRAMMAR_RUNS ?? usual);

type Written = { name: string; args: { key: string; text: string }[] };
const side = fc.integer({ min: 1, max: 3000 });
const color = fc.constantFrom('fff', 'ff0000', '#00f', 'red', 'transparent', '12345678', 'ABCDEF');
const optional = (key: string, values: fc.Arbitrary<string | number | boolean>) =>
  fc.option(
    values.map((value) => ({ key, text: String(value) })),
    { nil: undefined },
  );
const written = (
  name: string,
  ...args: fc.Arbitrary<{ key: string; text: string } | undefined>[]
): fc.Arbitrary<Written> => fc.tuple(...args).map((all) => ({ name, args: all.filter((each) => each !== undefined) }));
const box = fc
  .oneof(
    fc.tuple(side, side).map(([w, h]) => `${w}x${h}`),
    side.map((w) => `${w}x`),
    side.map((h) => `x${h}`),
    side.map(String),
  )
  .map((text) => ({ key: 'size', text }));
const bool = fc.constantFrom('true', 'false', 'yes', 'no', '1', '0');
const place = fc.constantFrom('center', 'top', 'north-east', 'left_bottom', 'South');
const percent = fc.integer({ min: 1, max: 100 });
const angle = fc
  .oneof(fc.integer({ min: -360, max: 360 }).map(String), fc.constantFrom('0.5', '-0', '+90', '12.3456789'))
  .map((text) => ({ key: 'angle', text }));
const drawing = fc.oneof(
  written('fit', box, optional('enlarge', bool)),
  written('cover', box, optional('at', place), optional('enlarge', bool)),
  written('pad', box, optional('bg', color), optional('at', place), optional('enlarge', bool)),
  written('stretch', box, optional('enlarge', bool)),
  written('resize', box, optional('mode', fc.constantFrom('fit', 'cover', 'pad', 'stretch', 'contain'))),
  written(
    'scale',
    fc.constantFrom('50', '33.25%', '800', '1', '99.99 %').map((text) => ({ key: 'percent', text })),
  ),
  written('crop', box, optional('x', fc.nat(900)), optional('y', fc.constantFrom('0', '7'))),
  written('crop', box, optional('at', place)),
  written('trim', optional('threshold', fc.constantFrom('0', '255', '12.5')), optional('bg', color)),
  written('rotate', angle, optional('bg', color)),
  written('flip'),
  written('flop'),
  written('blur', optional('sigma', fc.constantFrom('0.3', '2', '2.0', '100', '1.23456'))),
  written('sharpen', optional('sigma', fc.constantFrom('1', '.5', '10'))),
  written('grayscale'),
  written('flatten', optional('bg', color)),
  written('orient'),
);
const output = fc.oneof(
  written('jpeg', optional('q', percent), optional('progressive', bool), optional('chroma', fc.constantFrom(420, 444))),
  written('png', optional('q', percent), optional('colors', fc.integer({ min: 2, max: 256 }))),
  written(
    'webp',
    optional('q', percent),
    optional('lossless', bool),
    optional('effort', fc.integer({ min: 0, max: 4 })),
  ),
  written(
    'avif',
    optional('q', percent),
    optional('lossless', bool),
    optional('effort', fc.integer({ min: 0, max: 2 })),
  ),
  written('format', optional('format', fc.constantFrom('keep', 'jpeg', 'jpg', 'png', 'webp', 'avif'))),
  written(
    'quality',
    percent.map((q) => ({ key: 'q', text: String(q) })),
  ),
  written('compress', optional('q', percent)),
  written(
    'effort',
    fc.constantFrom('fast', 'balanced', 'small').map((text) => ({ key: 'profile', text })),
  ),
  written(
    'target',
    fc.constantFrom('low', 'High', 'lossless_looking', '0.8', '.995', '0.94').map((text) => ({ key: 'score', text })),
  ),
  written(
    'max-bytes',
    fc.constantFrom('100', '20kb', '3 MB').map((text) => ({ key: 'bytes', text })),
  ),
  written('strip'),
);
const pipelines = fc.tuple(fc.array(drawing, { maxLength: 5 }), fc.array(output, { maxLength: 5 }));
const keyed = ({ name, args }: Written): string => [name, ...args.map(({ key, text }) => `${key}=${text}`)].join(':');
const textOf = (calls: Written[]): string => calls.map(keyed).join('/');

/** 50 megapixels and a few more are refused for size: that is no matter of grammar. */
function parsed(calls: Written[]): Recipe | undefined {
  try {
    return parse(textOf(calls));
  } catch (error) {
    if (error instanceof Problem && error.code === 'output_too_large') return undefined;
    throw error;
  }
}

/** How reading anything ends; what is no Problem is thrown on. */
function outcomeOf(input: unknown): string {
  try {
    parse(input);
    return 'fine';
  } catch (error) {
    if (error instanceof Problem) return error.code;
    throw error;
  }
}

describe('laws', () => {
  test('L1 and L2: a recipe written and read again is itself, and writing it is a fixed point', () => {
    fc.assert(
      fc.property(pipelines, ([ops, outs]) => {
        const recipe = parsed([...ops, ...outs]);
        if (!recipe) return;
        const text = formatPipeline(recipe);
        expect(parse(text)).toEqual(recipe);
        expect(formatPipeline(parse(text))).toBe(text);
      }),
      { numRuns: runs(400) },
    );
  });

  test('L3: a recipe as JSON and back is itself', () => {
    fc.assert(
      fc.property(pipelines, ([ops, outs]) => {
        const recipe = parsed([...ops, ...outs]);
        expect(recipe && recipeFromJson(recipeJson(recipe), options)).toEqual(recipe);
      }),
      { numRuns: runs(300) },
    );
  });

  test('L4: every respelling keeps the hash', () => {
    fc.assert(
      fc.property(pipelines, fc.nat(), ([ops, outs], seed) => {
        const recipe = parsed([...ops, ...outs]);
        if (!recipe) return;
        const respelled = [...outs.slice(0, seed % (outs.length + 1)), ...ops, ...outs.slice(seed % (outs.length + 1))];
        const shouted = respelled.map((call, i) => (i % 2 ? keyed(call).toUpperCase() : ` ${keyed(call)} `));
        const objects = respelled.map(({ name, args }) => ({
          ...Object.fromEntries(args.toReversed().map(({ key, text }) => [key, text])),
          op: name,
        }));
        expect(recipeHash(parse(shouted.join('/')))).toBe(recipeHash(recipe));
        expect(recipeHash(parse(objects))).toBe(recipeHash(recipe));
      }),
      { numRuns: runs(300) },
    );
  });

  test('L4: recipes that differ have hashes that differ', () => {
    fc.assert(
      fc.property(pipelines, pipelines, (a, b) => {
        const [left, right] = [parsed(a.flat()), parsed(b.flat())];
        if (!left || !right) return;
        expect(recipeHash(left) === recipeHash(right)).toBe(recipeJson(left) === recipeJson(right));
      }),
    );
  });

  test('L5: any input gives a recipe or invalid_pipeline, quickly', () => {
    const alphabet = fc.string({
      unit: fc.constantFrom(...'fitcoverpadwebq:/=x,%#_- 0123456789'.split('')),
      maxLength: 60,
    });
    const strange = fc.oneof(
      alphabet,
      fc.string({ maxLength: 3000 }),
      fc.json(),
      fc.anything(),
      fc.array(fc.anything()),
    );
    fc.assert(
      fc.property(strange, (input) => {
        const start = performance.now();
        expect(['fine', 'invalid_pipeline', 'output_too_large', 'unknown_preset']).toContain(outcomeOf(input));
        // Measured 5 ms at most; what is guarded against is a pattern that backtracks for minutes.
        expect(performance.now() - start).toBeLessThan(5000);
      }),
      { numRuns: runs(2000) },
    );
  });

  test('L5 holds for 64 kB of slashes, brackets and digits', () => {
    for (const part of ['/', 'fit:1/', '[', '9', 'a:b=c:', '=', '{"op":'])
      expect(() => parse(part.repeat(65_536 / part.length))).toThrow(
        expect.objectContaining({ code: 'invalid_pipeline' }),
      );
  });
});
