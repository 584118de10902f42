import { describe, expect, test } from 'vitest';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { lockFaults, npmrcFaults, type Lock } from '../scripts/check-lock.ts';
import { generatedFiles, staleFiles } from '../scripts/docs.ts';
import { verdict } from '../scripts/verdict.ts';

const root = join(import.meta.dirname, '..');
/** As in scripts/check-lock.ts. */
const mayRun = ['node', 'msgpackr-extract'];

describe('the lock file', () => {
  const ours = (): Lock => JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lock;

  test('is in order', () => {
    expect(lockFaults(ours(), mayRun)).toEqual([]);
  });

  test('may carry no download address', () => {
    const lock = ours();
    lock.packages['node_modules/pg'] = {
      ...lock.packages['node_modules/pg'],
      resolved: 'https://mirror.example/pg.tgz',
    };
    expect(lockFaults(lock, mayRun)).toEqual(['pg carries a download address: run `npm run lock`.']);
  });

  test('needs the integrity of every package', () => {
    const lock = ours();
    delete lock.packages['node_modules/sharp']?.integrity;
    expect(lockFaults(lock, mayRun)).toEqual(['sharp has no integrity: run `npm run lock`.']);
  });

  test('needs the binaries of every platform that a package names', () => {
    const lock = ours();
    const name = Object.keys(lock.packages['node_modules/sharp']?.optionalDependencies ?? {}).find((each) =>
      each.endsWith('darwin-arm64'),
    );
    delete lock.packages[`node_modules/${name}`];
    expect(lockFaults(lock, mayRun).join()).toMatch(
      /darwin-arm64@.*, which sharp needs on its platform, is not in the lock file/,
    );
  });

  test('needs them in the version that is named', () => {
    const lock: Lock = {
      packages: {
        'node_modules/a': { integrity: 'x', optionalDependencies: { 'a-linux': '2.0.0' } },
        'node_modules/a-linux': { integrity: 'x', version: '1.0.0' },
      },
    };
    expect(lockFaults(lock, [])).toHaveLength(1);
    lock.packages['node_modules/a/node_modules/a-linux'] = { integrity: 'x', version: '2.0.0' };
    expect(lockFaults(lock, [])).toEqual([]);
  });

  test('lets nobody else run an install script', () => {
    const lock = ours();
    lock.packages['node_modules/pg'] = { ...lock.packages['node_modules/pg'], hasInstallScript: true };
    expect(lockFaults(lock, mayRun)).toEqual(['pg wants to run an install script.']);
    expect(lockFaults(ours(), [])).toEqual([
      'msgpackr-extract wants to run an install script.',
      'node wants to run an install script.',
    ]);
  });

  test('is written under an .npmrc that names no host', () => {
    expect(npmrcFaults('omit-lockfile-registry-resolved=true\n')).toEqual([]);
    expect(npmrcFaults('omit-lockfile-registry-resolved=true\nregistry=https://mirror.example\n')).toHaveLength(1);
  });
});

describe('generated pages', () => {
  test('a page that was changed by hand is stale', () => {
    const files = generatedFiles();
    expect(Object.keys(files)).toEqual(
      expect.arrayContaining(['.env.example', 'docs/settings.md', 'docs/operations.md']),
    );
    const path = 'docs/settings.md';
    expect(staleFiles({ [path]: readFileSync(join(root, path), 'utf8') })).toEqual([]);
    expect(staleFiles({ [path]: `${files[path]}one more line\n` })).toEqual([path]);
    expect(staleFiles({ 'docs/nowhere.md': 'text' })).toEqual(['docs/nowhere.md']);
  });
});

describe('the closing line of a test run', () => {
  const counts = { passed: 7, failed: 0, skipped: 0, again: [] };

  test.each([
    ['7 passed, 0 failed', { exitCode: 0, counts, failedChecks: 0 }],
    ['7 passed, 0 failed, 2 skipped', { exitCode: 0, counts: { ...counts, skipped: 2 }, failedChecks: 0 }],
    ['7 passed, 3 failed', { exitCode: 1, counts: { ...counts, failed: 3 }, failedChecks: 0 }],
    ['7 passed, 5 failed', { exitCode: 1, counts: { ...counts, failed: 3 }, failedChecks: 2 }],
    ['7 passed, 1 failed', { exitCode: 1, counts, failedChecks: 0 }],
    ['7 passed, 1 failed', { exitCode: 0, counts, failedChecks: 1 }],
    ['0 passed, 1 failed', { exitCode: 0, counts: undefined, failedChecks: 0 }],
  ])('%s, for %o', (line, run) => {
    expect(verdict(run)).toEqual({ line, good: line.includes(' 0 failed') });
  });
});
