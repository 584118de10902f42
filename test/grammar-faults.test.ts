import { describe, expect, test } from 'vitest';
import { parsePipeline, type PipelineFault } from '../src/imaging/grammar.ts';
import { Problem } from '../src/problem.ts';

const options = { maxOutputSide: 8192, effort: 'balanced' as const };

function refusal(pipeline: unknown): Problem {
  try {
    parsePipeline(pipeline, options);
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
  throw new Error(`${JSON.stringify(pipeline)} was taken`);
}

const faultsOf = (pipeline: unknown) => refusal(pipeline).facts.faults as PipelineFault[];

describe('faults', () => {
  test('an unknown operation is told with its place and the nearest name', () => {
    const problem = refusal(['grayscale', 'rezise:10x10']);
    expect(problem.code).toBe('invalid_pipeline');
    expect(problem.message).toBe('Operation 2: "rezise:10x10" is not an operation; did you mean "resize"?');
    expect(problem.facts.faults).toMatchObject([
      { type: 'value_error', loc: ['pipeline', 1], index: 1, op: 'rezise:10x10', suggestion: 'resize' },
    ]);
  });

  test('all faults are told at once, in order', () => {
    const faults = faultsOf('fit:0x10/foo/quality:101/webp:80');
    expect(faults.map(({ index }) => index)).toEqual([0, 1, 2]);
    expect(refusal('foo/bar/baz').message).toMatch(/\(and 2 more\)$/);
  });

  test.each([
    ['resize:0x10', 'width from 1 to 8192'],
    ['resize:99999x1', 'width from 1 to 8192'],
    ['fit:10x9000', 'height from 1 to 8192'],
    ['fit', 'needs a size such as 800x600'],
    ['fit:x', 'needs a width or a height'],
    ['fit:abc', 'size such as 800x600'],
    ['fit:-5x10', 'size such as 800x600'],
    ['fit:1e3', 'size such as 800x600'],
    ['quality:0', 'whole number from 1 to 100'],
    ['quality', 'needs a whole number from 1 to 100'],
    ['quality:50.5', 'whole number from 1 to 100'],
    ['webp:80:q=90', 'gives q twice'],
    ['fit:1x1:enlarge=1:enlarge=0', 'gives enlarge twice'],
    ['fit:1x1:enlarge=maybe', 'must be true or false'],
    ['fit:size=1x1:yes', 'plain ones come first'],
    ['fit:1x1:1:2', 'takes at most 2 arguments'],
    ['grayscale:3', 'takes no arguments'],
    ['fit:1x1:enlrage=1', 'did you mean "enlarge"?'],
    ['pad:1x1:bg=nocolor', 'must be a colour'],
    ['pad:1x1:bg=constructor', 'must be a colour'],
    ['cover:1x1:at=nowhere', 'must be one of center'],
    ['format:gif', 'must be one of keep, jpeg, png, webp, avif'],
    ['effort:insane', 'must be one of fast, balanced, small'],
    ['avif:effort=4', 'whole number from 0 to 2'],
    ['a//b', 'has no name'],
    ['fit:9x9/', 'has no name'],
    ['__proto__', 'is not an operation'],
    ['constructor', 'is not an operation'],
  ])('%s: %s', (pipeline, words) => {
    const messages = faultsOf(pipeline).map(({ message }) => message);
    expect(messages.join('\n')).toContain(words);
  });

  test.each([
    ['a number', 5, 'value_error'],
    ['a list with a number', [5], 'string_type'],
    ['a list in a list', [['fit:9x9']], 'string_type'],
    ['null', null, 'value_error'],
    ['an object without op', { width: 5 }, 'value_error'],
    ['an op that is no text', [{ op: 5 }], 'value_error'],
    ['a blank item', [' '], 'value_error'],
  ])('%s is no pipeline', (_what, pipeline, type) => {
    expect(faultsOf(pipeline)).toMatchObject([{ type, loc: ['pipeline', 0] }]);
  });

  test('a text is cut off in the message, however long it was', () => {
    expect(refusal(`fit:${'9'.repeat(1500)}`).message.length).toBeLessThan(200);
  });
});

describe('bounds', () => {
  test('a pipeline has at most 20 operations', () => {
    expect(refusal(Array<string>(21).fill('grayscale')).message).toContain('at most 20');
    expect(refusal(Array<string>(21).fill('grayscale').join('/')).message).toContain('at most 20');
    expect(parsePipeline(Array<string>(20).fill('grayscale'), options).ops).toHaveLength(20);
  });

  test('a pipeline has at most 2 kB', () => {
    expect(refusal(`fit:9x9${' '.repeat(2048)}`).message).toContain('2048 bytes');
  });

  test('a box too large for any source is refused when the pipeline is read', () => {
    expect(refusal('cover:8192x8192')).toMatchObject({ code: 'output_too_large', status: 422 });
    expect(refusal('stretch:5000x4000/avif')).toMatchObject({ code: 'output_too_large' });
    expect(() => parsePipeline('fit:8192x8192:enlarge=true', options)).not.toThrow();
    expect(() => parsePipeline('stretch:5000x4000/webp', options)).not.toThrow();
  });

  test('the longest side follows the setting', () => {
    expect(() => parsePipeline('fit:900x', { ...options, maxOutputSide: 800 })).toThrow('from 1 to 800');
  });
});
