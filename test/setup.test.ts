import { expect, test } from 'vitest';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { makeClone } from './support/clone.ts';

const root = join(import.meta.dirname, '..');

test('the first setup installs with the tools, the second does nothing', async () => {
  using clone = makeClone();
  const first = await clone.setup(['--web'], { NODE_ENV: 'production' });
  expect(first.code).toBe(0);
  expect(first.out).toMatch(/^• Installing dependencies \.\.\.\n✓ Installing dependencies \(\d+\.\d s\)\n$/);
  expect(clone.npmCalls()).toHaveLength(1);
  expect(clone.npmCalls()[0]?.args).toEqual(expect.arrayContaining(['ci', '--include=dev', '--loglevel=error']));
  expect(await clone.setup(['--web'])).toEqual({ code: 0, out: '', err: '' });
  expect(clone.npmCalls()).toHaveLength(1);
});

test('another lock file, or a removed node_modules, installs again', async () => {
  using clone = makeClone();
  await clone.setup();
  clone.write('package-lock.json', '{"lock": 2}');
  await clone.setup();
  expect(clone.npmCalls()).toHaveLength(2);
  clone.write('node_modules/.setup', 'of another machine');
  await clone.setup();
  expect(clone.npmCalls()).toHaveLength(3);
});

test('the test services are installed for tests only, by their own lock file', async () => {
  using clone = makeClone();
  await clone.setup(['--web']);
  expect(clone.exists('test/services/node_modules')).toBe(false);
  const { out } = await clone.setup(['--web', '--tests']);
  expect(out).toContain('Installing test services');
  expect(clone.npmCalls().map((call) => call.cwd)).toEqual([clone.folder, join(clone.folder, 'test/services')]);
  expect(clone.exists('test/services/node_modules/.setup')).toBe(true);
});

test('a failing npm shows what it said and one sentence of advice, and is tried again next time', async () => {
  using clone = makeClone();
  const { code, err } = await clone.setup([], { NPM_FAILS: '1' });
  expect(code).toBe(1);
  expect(err).toContain('npm error network unreachable');
  expect(err.trimEnd().split('\n').at(-1)).toMatch(/^✗ npm could not install the packages/);
  expect((await clone.setup()).code).toBe(0);
});

test('a Node that is too old ends the setup with one sentence, each time', async () => {
  using clone = makeClone();
  for (const _ of [1, 2]) {
    const { code, err } = await clone.setup([], { NODE_BROUGHT: 'v22.1.0' });
    expect(code).toBe(1);
    expect(err).toBe('✗ Darkroom needs Node 24 and npm could not bring it here: install it, then repeat.\n');
  }
});

test('of two setups at once one installs and the other waits for it', async () => {
  using clone = makeClone();
  const both = await Promise.all([clone.setup([], { NPM_TAKES: '500' }), clone.setup([], { NPM_TAKES: '500' })]);
  expect(both.map((each) => each.code)).toEqual([0, 0]);
  expect(clone.npmCalls()).toHaveLength(1);
  expect(both.map((each) => each.out).join('')).toContain('Another setup is running here');
});

test('the lock of a setup that died holds nobody up', async () => {
  using clone = makeClone();
  const dead = spawn(process.execPath, ['-e', '']);
  await once(dead, 'exit');
  clone.write('.cache/setup/pid', String(dead.pid));
  expect((await clone.setup()).code).toBe(0);
  expect(clone.exists('.cache/setup')).toBe(false);
});

test('a failed setup leaves no lock behind', async () => {
  using clone = makeClone();
  await clone.setup([], { NPM_FAILS: '1' });
  expect(clone.exists('.cache/setup')).toBe(false);
});

test('npm start and npm test set everything up before they begin', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  expect(scripts).toMatchObject({
    prestart: 'node scripts/setup.mjs --web',
    pretest: 'node scripts/setup.mjs --web --tests',
  });
});

const olderNode = (process.env.PATH ?? '')
  .split(delimiter)
  .map((folder) => join(folder, 'node'))
  .find((node) => existsSync(node) && /^v(1\d|2[0-3])\./.test(spawnSync(node, ['--version']).stdout.toString()));
if (!olderNode) console.warn('There is no Node older than 24 on PATH: the command is not tried under one.');

test.skipIf(!olderNode)('the command runs under the Node that was brought when it is called by an older one', () => {
  const called = spawnSync(olderNode ?? '', [join(root, 'bin/darkroom.mjs'), 'no-such-command'], { encoding: 'utf8' });
  expect(called.stderr).toContain("unknown command 'no-such-command'");
  expect(called.status).toBe(2);
});
