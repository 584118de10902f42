// The list of mutants fits the source: `npm run mutants` takes minutes, and by then it would have rotted.

import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { mutants } from '../scripts/mutants/list.ts';
import { mutate } from '../scripts/mutants/mutant.ts';

const read = (file: string) => readFileSync(join(import.meta.dirname, '..', file), 'utf8');
/** What every driver must do stands in suites, which the test files call. */
const suites = globSync('test/suites/*.ts', { cwd: join(import.meta.dirname, '..') })
  .map(read)
  .join('\n');

test('every mutant finds its passage exactly once and changes it', () => {
  for (const mutant of mutants) {
    const source = read(mutant.file);
    expect(mutate(source, mutant), mutant.name).not.toBe(source);
  }
});

test('every mutant names tests that exist', () => {
  for (const { name, tests } of mutants) {
    expect(tests.length, name).toBeGreaterThan(0);
    for (const each of tests)
      expect(read(each.file).includes(each.name) || suites.includes(each.name), name).toBe(true);
  }
});

test('no two mutants have the same name', () => {
  expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length);
});

test('a passage that is gone, or stands there twice, is an error', () => {
  const mutant = { name: 'a fence', file: 'a.ts', find: 'fence', replace: '', tests: [] };
  expect(mutate('a fence b', mutant)).toBe('a  b');
  expect(() => mutate('a b', mutant)).toThrow('stands 0 times in a.ts');
  expect(() => mutate('fence fence', mutant)).toThrow('stands 2 times in a.ts');
});
