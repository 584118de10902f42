// cli-start.test.ts — commands that cannot start, or are told to stop before they have: a sentence, a code, and soon.

import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { version } from '../src/version.ts';
import { run, temporaryFolder, type Running } from './support/command.ts';

const patience = { timeout: 40_000, interval: 50 };

async function finished(command: Running) {
  return { code: await command.ended, out: command.out(), err: command.err() };
}

test('--version tells the release', async () => {
  await using folder = await temporaryFolder();
  expect(await finished(run(folder.path, ['--version']))).toEqual({ code: 0, out: `${version}\n`, err: '' });
  expect((await finished(run(folder.path, ['--help']))).out).toMatch(/--version/);
});

test.each([['serve'], ['worker'], ['config check']])(
  '%s refuses settings that are well-formed and mean nothing, all at once',
  async (command) => {
    await using folder = await temporaryFolder();
    const env = {
      PORT: '0',
      DARKROOM_PIPELINE: 'grayscal',
      DARKROOM_UPLOAD_PIPELINE: 'fit:0x',
      DARKROOM_TRUST_PROXY: '10.0.0.0/8,10.0.0.0/99,abc',
      DARKROOM_ALLOW_ORIGINS: 'https://shop.example,shop.example',
    };
    const { code, err } = await finished(run(folder.path, command.split(' '), { env }));
    expect(code).toBe(1);
    const lines = err.trim().split('\n');
    expect(lines).toHaveLength(5);
    expect(lines[0]).toMatch(/^DARKROOM_PIPELINE: .*did you mean "grayscale"\?/);
    expect(lines[1]).toMatch(/^DARKROOM_UPLOAD_PIPELINE: /);
    expect(lines.slice(2)).toEqual([
      'DARKROOM_TRUST_PROXY: 10.0.0.0/99 is not an address or CIDR.',
      'DARKROOM_TRUST_PROXY: abc is not an address or CIDR.',
      'DARKROOM_ALLOW_ORIGINS: shop.example is not an origin such as https://shop.example.com.',
    ]);
  },
);

test('a wrong value of a flag is a mistake of the command line', async () => {
  await using folder = await temporaryFolder();
  const { code, err } = await finished(run(folder.path, ['serve', '--port', 'abc']));
  expect(code).toBe(2);
  expect(err).toBe('--port must be a whole number from 0 to 65535, not "abc".\n');
});

test.each([[['serve', '--port', '0']], [['worker']]])(
  'Ctrl-C ends a start that waits for its database: %s',
  async (words) => {
    await using folder = await temporaryFolder();
    const env = { DATABASE_URL: 'postgres://ada@127.0.0.1:9/shop' };
    const command = run(folder.path, words, { env });
    await vi.waitFor(() => expect(command.out()).toMatch(/does not answer yet/), patience);
    const asked = performance.now();
    command.signal('SIGINT');
    expect(await command.ended).toBe(130);
    expect(performance.now() - asked).toBeLessThan(5000);
  },
);

test('an address of another machine is told with its setting', async () => {
  await using folder = await temporaryFolder();
  for (const host of ['192.0.2.1', 'no.such.host.invalid']) {
    const words = ['serve', '--port', '0', '--host', host, '--insecure-no-auth', '--no-worker'];
    const { code, err } = await finished(run(folder.path, words));
    expect(code).toBe(1);
    expect(err).toMatch(new RegExp(`^HOST=${host} is not an address of this machine`, 'm'));
  }
});

test('a data directory that cannot be made is told with its setting', async () => {
  await using folder = await temporaryFolder();
  await writeFile(join(folder.path, 'file'), '');
  for (const words of [['serve', '--port', '0'], ['worker'], ['migrate']]) {
    const { code, err } = await finished(run(folder.path, words, { env: { DATA_DIR: './file/below' } }));
    expect(code).toBe(1);
    expect(err).toMatch(/file\/below.*DATA_DIR/s);
  }
});

test.skipIf(process.platform !== 'linux')(
  'folders in /proc are refused by name: nothing can be made there',
  async () => {
    await using folder = await temporaryFolder();
    const env = { DATA_DIR: '/proc/self/data', STORAGE_URL: 'file:/proc/x' };
    const { code, err } = await finished(run(folder.path, ['migrate'], { env }));
    expect([code, err.trim().split('\n')]).toEqual([
      1,
      ['DATA_DIR', 'STORAGE_URL'].map((name) =>
        expect.stringMatching(`^${name}: .* lies in /proc, which takes no files`),
      ),
    ]);
  },
);

test('config check leaves nothing behind and knows a queue without a driver', async () => {
  await using folder = await temporaryFolder();
  const fresh = await finished(run(folder.path, ['config', 'check']));
  expect(fresh.out).toMatch(/^ok +queue +the database$/m);
  expect(fresh.code).toBe(0);
  expect(existsSync(join(folder.path, 'data'))).toBe(false);
  const queued = await finished(run(folder.path, ['config', 'check'], { env: { QUEUE_URL: 'nats://localhost' } }));
  expect(queued.code).toBe(1);
  expect(queued.out).toMatch(/^FAIL +queue +QUEUE_URL has the scheme nats/m);
});

test.each(['redis://127.0.0.1:9', 'amqp://127.0.0.1:9'])('config check says that nobody answers at %s', async (url) => {
  await using folder = await temporaryFolder();
  const { code, out } = await finished(run(folder.path, ['config', 'check'], { env: { QUEUE_URL: url } }));
  expect(code).toBe(1);
  expect(out).toMatch(/^FAIL +queue +(Redis|RabbitMQ) cannot be reached/m);
});

test('a worker answers on its own port whether it is well, and nothing else', async () => {
  await using folder = await temporaryFolder();
  const command = run(folder.path, ['worker', '--port', '0'], { env: { DARKROOM_SLOTS: '1' } });
  await vi.waitFor(() => expect(command.err()).toMatch(/images at a time/), patience);
  const [, url] = /^Health on (http:\S+)\/health$/m.exec(command.err()) ?? [];
  const answers = await Promise.all(['/livez', '/readyz', '/health'].map((path) => fetch(`${url}${path}`)));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  for (const path of ['/v1/batches', '/upload', '/api/list'])
    expect((await fetch(`${url}${path}`)).status, path).toBe(404);
  command.signal('SIGTERM');
  expect(await command.ended).toBe(0);
});
