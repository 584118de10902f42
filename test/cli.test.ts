// The command line: help, mistakes, servers that cannot start, and the settings told and tried.

import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { listenerOf } from '../src/cli/port.ts';
import { placesFor } from '../src/cli/places.ts';
import { onEachDatabase, openTestDatabase } from './support/databases.ts';
import { run, temporaryFolder, type Running } from './support/command.ts';

const patience = { timeout: 40_000, interval: 50 };

async function finished(command: Running) {
  return { code: await command.ended, out: command.out(), err: command.err() };
}

test('--help lists the commands and loads commander and nothing else', async () => {
  await using folder = await temporaryFolder();
  const hook = `import { registerHooks } from 'node:module';
    registerHooks({ load: (url, context, next) => {
      if (url.startsWith('file:')) process.stderr.write(url + '\\n');
      return next(url, context);
    } });`;
  await writeFile(join(folder.path, 'hook.mjs'), hook);
  const command = run(folder.path, ['--help'], { node: ['--import', join(folder.path, 'hook.mjs')] });
  const { code, out, err } = await finished(command);
  expect(code).toBe(0);
  for (const name of ['serve', 'worker', 'process', 'batch', 'listen', 'openapi', 'doctor', 'migrate', 'config'])
    expect(out).toMatch(new RegExp(`^  ${name} `, 'm'));
  const loaded = err.trim().split('\n');
  const own = loaded.filter((url) => !url.includes('/node_modules/')).map((url) => url.replace(/.*\/src\//, ''));
  expect(own).toEqual(['main.ts', 'cli/index.ts', 'cli/batch.ts', 'cli/key.ts', 'cli/session.ts']);
  expect(loaded.filter((url) => !/\/src\/|\/node_modules\/commander\//.test(url))).toEqual([]);
});

test.each([['serve'], ['worker'], ['process'], ['migrate'], ['config check']])(
  '%s --help shows an example',
  async (name) => {
    await using folder = await temporaryFolder();
    const { code, out } = await finished(run(folder.path, [...name.split(' '), '--help']));
    expect(code).toBe(0);
    expect(out).toMatch(new RegExp(`Example:\\n  \\$ .*darkroom ${name}`));
  },
);

test.each([
  [['sevre'], /Did you mean serve/],
  [['serve', '--prot', '1'], /Did you mean --port/],
  [['process', 'a.csv'], /--out/],
])('a command line that cannot be read ends with 2: %s', async (words, sentence) => {
  await using folder = await temporaryFolder();
  const { code, err } = await finished(run(folder.path, words));
  expect(code).toBe(2);
  expect(err).toMatch(sentence);
});

test('serve greets, answers, and ends with 0 when it is told to; a second one names the port or the process', async () => {
  await using folder = await temporaryFolder();
  const first = run(folder.path, ['serve', '--port', '0', '--no-worker']);
  await vi.waitFor(() => expect(first.err()).toMatch(/Ctrl-C stops\./), patience);
  const [, port = ''] = /on http:\/\/localhost:(\d+)/.exec(first.err()) ?? [];
  expect((await fetch(`http://127.0.0.1:${port}/livez`)).status).toBe(200);
  const [taken, busy] = await Promise.all([
    finished(run(folder.path, ['serve', '--no-worker'], { env: { PORT: port, DATA_DIR: './other' } })),
    finished(run(folder.path, ['serve', '--port', '0'])),
  ]);
  expect(taken.code).toBe(1);
  expect(taken.err).toMatch(
    new RegExp(`Port ${port} is in use by process \\d+\\. Stop it or: PORT=${Number(port) + 1} npm start`),
  );
  expect(busy.code).toBe(1);
  expect(busy.err).toMatch(/in use by process \d+\. Stop it, or set DATA_DIR/);
  const check = await finished(run(folder.path, ['config', 'check']));
  expect(check.code).toBe(0);
  expect(check.out).toMatch(/ok +database .*in use by process/);
  first.signal('SIGTERM');
  expect(await first.ended).toBe(0);
  expect(first.out()).toSatisfy((text: string) =>
    text
      .split('\n')
      .filter(Boolean)
      .every((line) => JSON.parse(line) !== undefined),
  );
});

test('serve refuses strangers without a key, and tells all mistakes of the settings at once', async () => {
  await using folder = await temporaryFolder();
  const open = await finished(run(folder.path, ['serve', '--host', '0.0.0.0']));
  expect(open.code).toBe(1);
  expect(open.err).toMatch(/DARKROOM_API_KEY.*--insecure-no-auth/);
  const env = { DARKROOM_SLOT: '4', PORT: 'x', DARKROOM_DRAIN: 'soon' };
  const wrong = await finished(run(folder.path, ['serve'], { env }));
  expect(wrong.code).toBe(1);
  expect(wrong.err).toMatch(/DARKROOM_SLOT is not a setting\. Did you mean DARKROOM_SLOTS\?/);
  expect(wrong.err).toMatch(/PORT must be a whole number/);
  expect(wrong.err).toMatch(/DARKROOM_DRAIN must be a time/);
});

test('.env is read, and the environment wins over it', async () => {
  await using folder = await temporaryFolder();
  await writeFile(join(folder.path, '.env'), 'DARKROOM_SLOTS=7\nDARKROOM_ATTEMPTS=9\n');
  const { out } = await finished(run(folder.path, ['config', 'check'], { env: { DARKROOM_ATTEMPTS: '3' } }));
  expect(out).toMatch(/^DARKROOM_SLOTS +7 +environment +-$/m);
  expect(out).toMatch(/^DARKROOM_ATTEMPTS +3 +environment +5$/m);
});

test('config check keeps secrets and fails for a database and a folder that are not there', async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'file');
  await writeFile(file, '');
  const env = {
    DATABASE_URL: 'postgres://ada:canary1@127.0.0.1:9/shop?password=canary2',
    STORAGE_URL: join(file, 'below'),
    DARKROOM_API_KEY: `drk_${'a'.repeat(8)}_${'canary3'.padEnd(43, 'x')}`,
  };
  const { code, out, err } = await finished(run(folder.path, ['config', 'check'], { env }));
  expect(code).toBe(1);
  expect(out).toMatch(/^DATABASE_URL +postgres:\/\/ada:\*\*\*@127\.0\.0\.1:9\/shop\?\*\*\* +environment/m);
  expect(out).toMatch(/^FAIL +database/m);
  expect(out).toMatch(/^FAIL +storage/m);
  expect(out + err).not.toMatch(/canary/);
});

test('a worker starts without a port and ends with 0', async () => {
  await using folder = await temporaryFolder();
  const command = run(folder.path, ['worker', '--slots', '1']);
  await vi.waitFor(() => expect(command.err()).toMatch(/works on 1 images at a time/), patience);
  command.signal('SIGINT');
  expect(await command.ended).toBe(0);
});

onEachDatabase((engine) => {
  test('migrate brings an empty database up to date, and config check finds it so', async () => {
    await using folder = await temporaryFolder();
    await using db = engine === 'postgres' ? await openTestDatabase(engine) : undefined;
    const env: Record<string, string> = db ? { DATABASE_URL: db.url } : {};
    const before = await finished(run(folder.path, ['config', 'check'], { env }));
    expect(before.code).toBe(0);
    const migrated = await finished(run(folder.path, ['migrate'], { env }));
    expect(migrated).toMatchObject({ code: 0, out: expect.stringMatching(/is up to date\.\n$/) });
    const after = await finished(run(folder.path, ['config', 'check'], { env }));
    expect(after.code, after.out).toBe(0);
    expect(after.out).toMatch(/^ok +database +(embedded in|PostgreSQL).* \d+\.\d.* ms$/m);
    expect(after.out).toMatch(/^ok +migrations +up to date$/m);
    expect(after.out).toMatch(/^ok +storage/m);
  });
});

test('the process that listens on a port is found', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  expect(await listenerOf(port)).toBe(process.platform === 'linux' ? process.pid : undefined);
  server.close();
  await once(server, 'close');
  expect(await listenerOf(port)).toBeUndefined();
});

test('results lie beside the CSV that was asked for', () => {
  expect(placesFor('shop/out.csv')).toEqual({
    csv: 'shop/out.csv',
    images: 'shop/out',
    failed: 'shop/out.failed.csv',
    next: 'shop/out.rest.csv',
  });
  expect(placesFor('out').images).toBe('out.images');
});
