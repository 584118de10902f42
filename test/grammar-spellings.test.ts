import { describe, expect, test } from 'vitest';
import {
  describeOperations,
  formatPipeline,
  parsePipeline,
  pipelineOperations,
  recipeHash,
} from '../src/imaging/grammar.ts';
import type { Recipe } from '../src/imaging/imaging.ts';
import { pipelinesByName, presetsOf } from '../src/imaging/presets.ts';

const options = {
  maxOutputSide: 8192,
  effort: 'balanced' as const,
  presets: pipelinesByName(presetsOf({ pipeline: 'compress:50', uploadPipeline: 'fit:1500x' })),
};
const parse = (pipeline: unknown): Recipe => parsePipeline(pipeline, options);

describe('spellings', () => {
  test.each([
    ['webp/quality:80', 'webp:80'],
    ['quality:80/webp', 'webp:80'],
    ['webp:80%', 'webp:80'],
    ['jpeg:90/webp', 'webp'],
    ['quality:60/jpeg:90/webp', 'webp:60'],
    ['resize:100x100', 'cover:100x100'],
    [' Resize:100X100 ', 'cover:100x100'],
    ['resize:800x', 'fit:800x:enlarge=true'],
    ['resize:800', 'fit:800x:enlarge=true'],
    ['resize:800x600:pad:bg=000', 'pad:800x600:bg=000000'],
    ['resize:800x600:fit:enlarge=false', 'fit:800x600'],
    ['pad:x600:at=top', 'fit:x600:enlarge=true'],
    ['w:800', 'fit:800x'],
    ['h:600', 'fit:x600'],
    ['q:80', 'compress:80'],
    ['fit:9x9/compress:30', 'fit:9x9/quality:30'],
    ['f:webp', 'webp'],
    ['convert:jpg', 'jpeg'],
    ['jpg', 'jpeg'],
    ['greyscale', 'grayscale'],
    ['bw', 'grayscale'],
    ['thumbnail:9x9', 'cover:9x9'],
    ['thumb:9x9', 'cover:9x9'],
    ['fill:9x9', 'cover:9x9'],
    ['contain:9x9', 'pad:9x9'],
    ['inside:9x9', 'fit:9x9'],
    ['max:9x9', 'fit:9x9'],
    ['force:9x9', 'stretch:9x9'],
    ['bg:F00', 'flatten:bg=ff0000'],
    ['scale:50.0%', 'scale:50'],
    ['rot:+90', 'rotate:90'],
    ['rotate:360/rotate:0', ''],
    ['rotate:-7.50:#F00', 'rotate:-7.5:bg=ff0000'],
    ['mirror', 'flop'],
    ['crop:9x9:0:0', 'crop:9x9'],
    ['crop:9x9:5:6', 'crop:9x9:x=5:y=6'],
    ['crop:9x9:at=SouthEast', 'crop:9x9:at=right-bottom'],
    ['trim:10', 'trim'],
    ['trim:bg=white', 'trim:bg=ffffff'],
    ['blur:2.00', 'blur'],
    ['blur:1.23456', 'blur:sigma=1.2346'],
    ['sharpen:.5', 'sharpen:sigma=0.5'],
    ['preset:upload', 'fit:1500x'],
    ['preset:catalog/webp', 'webp:50'],
    ['PRESET:name=Upload/q:70', 'fit:1500x/quality:70'],
    ['pad:9x9:bg=#ffffffff', 'pad:9x9'],
    ['cover:9x9:at=north_east', 'cover:9x9:at=right-top'],
    ['effort:small/webp', 'webp:effort=4'],
    ['target:Medium', 'target:0.94'],
    ['quality:50/target:high', 'target:0.97'],
    ['target:high/webp:70', 'webp:70'],
    ['webp:70/jpeg/target:.9', 'jpeg/target:0.9'],
    ['max_bytes:20KB/webp', 'webp/max-bytes:20000'],
    ['orient/strip', ''],
    ['', ''],
  ])('%j is %j', (spelling, canonical) => {
    expect(formatPipeline(parse(spelling))).toBe(canonical);
  });

  test('JSON items may be texts with several operations, and objects', () => {
    const mixed = parse(['gray/w:800', { op: 'WebP', q: 80 }]);
    expect(recipeHash(mixed)).toBe(recipeHash(parse('grayscale/fit:800x/webp:80')));
  });

  test('the operations of the default pipeline read as people wrote them', () => {
    expect(pipelineOperations(parse('compress:50'))).toEqual(['compress:50']);
    expect(pipelineOperations(parse('fit:1500x'))).toEqual(['fit:1500x']);
  });

  test('the effort of the settings is part of the recipe', () => {
    const small = parsePipeline('webp', { ...options, effort: 'small' });
    expect(recipeHash(small)).toBe(recipeHash(parse('webp:effort=4')));
    expect(recipeHash(small)).not.toBe(recipeHash(parse('webp')));
  });
});

describe('descriptions', () => {
  test('every example of every operation runs', () => {
    for (const { name, examples, summary } of describeOperations(options)) {
      expect(summary, name).toMatch(/\.$/);
      expect(examples.length, name).toBeGreaterThan(0);
      for (const example of examples) expect(() => parse(example)).not.toThrow();
    }
  });

  test('the schema of an operation names its arguments, ranges and defaults', () => {
    const webp = describeOperations(options).find(({ name }) => name === 'webp');
    expect(webp?.schema).toMatchObject({
      properties: { op: { const: 'webp' }, q: { type: 'integer', minimum: 1, maximum: 100, default: 82 } },
      required: ['op'],
      additionalProperties: false,
    });
  });
});
