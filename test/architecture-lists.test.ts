// architecture-lists.test.ts — what exists is documented and tested: settings, codes, operations, surfaces, packages, invariants.

import { describe, expect, test } from 'vitest';
import { catalogue } from '../src/problem.ts';
import { settings } from '../src/settings/list.ts';
import { listed, missingFrom, thingsBeside, witnesses, witnessFaults } from './architecture/lists.ts';
import { sourcesIn, type Source } from './architecture/source.ts';

const textOf = (path: string) => sourcesIn(path)[0]?.text ?? '';
const paths = (...patterns: string[]) => sourcesIn(...patterns).map((each) => each.path);
const architecture = textOf('ARCHITECTURE.md');
const operations: Source = { path: 'src/imaging/operations/index.ts', text: textOf('src/imaging/operations/index.ts') };
const surfaces: Source = { path: 'src/surfaces/index.ts', text: textOf('src/surfaces/index.ts') };

describe('documents', () => {
  test('every setting stands in docs/settings.md and .env.example, by every name it has', () => {
    const names = Object.values(settings).map((each) => each.name);
    const aliases = Object.values<{ aliases?: readonly string[] }>(settings).flatMap((each) => each.aliases ?? []);
    expect(missingFrom(textOf('docs/settings.md'), [...names, ...aliases])).toEqual([]);
    expect(missingFrom(textOf('.env.example'), names)).toEqual([]);
  });

  test('every setting has a sentence', () => {
    const silent = Object.values(settings).filter((each) => !/^\S.{10,}\.$/.test(each.sentence));
    expect(silent.map((each) => each.name)).toEqual([]);
  });

  test('every error code stands in docs/errors.md', () => {
    expect(missingFrom(textOf('docs/errors.md'), Object.keys(catalogue))).toEqual([]);
  });

  test('every package has its reason in ARCHITECTURE.md', () => {
    const { dependencies, devDependencies } = JSON.parse(textOf('package.json')) as Record<string, object>;
    const packages = Object.keys({ ...dependencies, ...devDependencies });
    expect(packages.length).toBeGreaterThan(10);
    expect(missingFrom(/^## Dependencies$[\s\S]*/m.exec(architecture)?.[0] ?? '', packages)).toEqual([]);
  });

  test('every folder of src stands in the map', () => {
    const folders = new Set(paths('src/*/**/*.ts').map((path) => `src/${path.split('/')[1]}`));
    const map = /^## Map$([\s\S]*?)^## /m.exec(architecture)?.[1] ?? '';
    expect(missingFrom(map, [...folders])).toEqual([]);
  });

  test('a missing name is seen', () => {
    expect(missingFrom('| `HOST` | #PORT=8000 |', ['HOST', 'PORT', 'DATA_DIR', 'HOS'])).toEqual(['DATA_DIR', 'HOS']);
  });
});

describe('operations', () => {
  const shared = ['operation'];

  test('every file beside the list is in the list, has a row in docs/operations.md and is tried by a test', () => {
    const names = thingsBeside(operations.path, paths('src/imaging/operations/*.ts'), shared);
    expect(names.length).toBeGreaterThan(5);
    expect(names.filter((name) => !listed(operations, shared).includes(name))).toEqual([]);
    expect(missingFrom(textOf('docs/operations.md'), names)).toEqual([]);
    const tests = sourcesIn('test/**/*.test.ts', 'test/support/*.ts').filter((each) =>
      /import|operation|picture|pipeline/.test(each.path),
    );
    expect(missingFrom(tests.map((each) => each.text).join('\n'), names)).toEqual([]);
  });

  test('a file that is not in the list is seen', () => {
    const index = { path: operations.path, text: `import { fit } from './fit.ts';` };
    expect(listed(index, shared)).toEqual(['fit']);
    expect(
      thingsBeside(
        index.path,
        [index.path, 'src/imaging/operations/fit.ts', 'src/imaging/operations/sepia.ts'],
        shared,
      ),
    ).toEqual(['fit', 'sepia']);
  });
});

describe('surfaces', () => {
  test('every surface in the list has a contract test', () => {
    const names = listed(surfaces, ['surface', 'error-bodies', 'samples']);
    const contracts = paths('test/contracts/*.test.ts');
    expect(names.length).toBeGreaterThan(2);
    const untested = names.filter((name) => !contracts.some((path) => path.startsWith(`test/contracts/${name}`)));
    expect(untested).toEqual([]);
  });

  test('a folder counts as one surface', () => {
    const index = {
      path: 'src/surfaces/index.ts',
      text: `import { a } from './native/batches.ts'; import { b } from './catalog.ts';`,
    };
    expect(listed(index, ['surface'])).toEqual(['native', 'catalog']);
  });
});

describe('invariants', () => {
  test('each of the ten in ARCHITECTURE.md names a test that exists', () => {
    expect(witnessFaults(witnesses(architecture), 10, sourcesIn('test/**/*.test.ts'))).toEqual([]);
  });

  test('an invariant without a test, a missing file and a wrong name are seen', () => {
    const page =
      '## Invariants\n\n1. One.\n   - `test/a.test.ts` — holds\n2. Two.\n3. Three.\n   - `test/b.test.ts` — holds\n4. Four.\n   - `test/a.test.ts` — is gone\n\n## Map\n';
    const tests = [{ path: 'test/a.test.ts', text: `describe('a', () => { test('holds', () => {}); });` }];
    expect(witnessFaults(witnesses(page), 4, tests)).toEqual([
      'Invariant 2 names no test.',
      'Invariant 3 names test/b.test.ts, which does not exist.',
      'Invariant 4: test/a.test.ts has no test "is gone".',
    ]);
  });
});
