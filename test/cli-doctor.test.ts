// cli-doctor.test.ts — `darkroom doctor`, `openapi` and `listen`: what is wrong here, what the API is, and what webhooks say.

import { readFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { runCommand } from '../src/cli/index.ts';
import { signatureHeaders } from '../src/notify/signing.ts';
import { temporaryFolder } from './support/command.ts';

type Told = { out: string; err: string; stop: () => void; ended: Promise<number> };

function run(words: string[], env: Record<string, string> = {}): Told {
  const hearers = new Set<(times: number) => void>();
  const told = { out: '', err: '' };
  const ended = runCommand(words, {
    env,
    out: { write: (text) => (told.out += text) },
    err: { write: (text) => (told.err += text) },
    onStop: (hear) => {
      hearers.add(hear);
      return () => hearers.delete(hear);
    },
    exit: () => {},
  });
  return Object.assign(told, { ended, stop: () => hearers.forEach((hear) => hear(1)) });
}

test('doctor tries every part, and leaves nothing behind', async () => {
  await using folder = await temporaryFolder();
  const data = join(folder.path, 'data');
  const told = run(['doctor'], { DATA_DIR: data, PORT: '0' });
  expect(await told.ended, told.out).toBe(0);
  const names = told.out
    .trim()
    .split('\n')
    .map((line) => /^ok {4}(\S+(?: \S+)*?) {2,}/.exec(line)?.[1]);
  const parts = ['program', 'memory', 'open files', 'page', 'packages', 'settings', 'pictures', 'port'];
  expect(names).toEqual([...parts, 'database', 'queue', 'storage']);
  expect(told.out).toMatch(/^ok +pictures +one was decoded and written/m);
  await expect(readFile(data)).rejects.toThrow('ENOENT');
});

test('doctor names the process that holds the port, and settings that are none', async () => {
  await using folder = await temporaryFolder();
  const server = createServer((socket) => void socket.destroy()).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  const told = run(['doctor'], { DATA_DIR: join(folder.path, 'data'), PORT: String(port) });
  expect(await told.ended).toBe(1);
  expect(told.out).toMatch(
    new RegExp(`^FAIL +port +${port} is in use by process ${process.pid}: stop it, or set PORT`, 'm'),
  );
  server.close();
  const mistaken = run(['doctor'], { DARKROOM_SLOT: '4' });
  expect(await mistaken.ended).toBe(1);
  expect(mistaken.out).toMatch(/^FAIL +settings +.*DARKROOM_SLOTS/m);
});

test.each([['doctor'], ['openapi'], ['listen'], ['batch list'], ['batch retry'], ['batch download']])(
  '%s shows an example in its help',
  async (words) => {
    const told = run([...words.split(' '), '--help']);
    expect([await told.ended, told.out]).toEqual([0, expect.stringMatching(`Example:\\n  \\$ darkroom ${words}`)]);
  },
);

test('openapi prints the document that the repository holds', async () => {
  const told = run(['openapi']);
  expect(await told.ended).toBe(0);
  expect(JSON.parse(told.out)).toEqual(
    JSON.parse(await readFile(join(import.meta.dirname, '../docs/openapi.json'), 'utf8')),
  );
});

test('listen prints webhooks, answers 401 to one that is not signed, and ends at Ctrl-C', async () => {
  const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
  const told = run(['listen', '--port', '0', '--secret', secret, '--json']);
  await vi.waitFor(() => expect(told.err).toContain('Ctrl-C stops'), 10_000);
  const [, url = ''] = /(http:\S+)/.exec(told.err) ?? [];
  expect(told.err).toContain(`DARKROOM_ALLOW_HOSTS=${new URL(url).host}`);
  const body = JSON.stringify({ type: 'batch.finished', note: '\u001b[2J' });
  const headers = signatureHeaders([secret], { id: 'msg_1', at: new Date(), body: Buffer.from(body) });
  expect((await fetch(`${url}hook`, { method: 'POST', body, headers })).status).toBe(204);
  expect((await fetch(`${url}hook`, { method: 'POST', body: `${body} `, headers })).status).toBe(401);
  expect((await fetch(url)).status).toBe(405);
  expect(told.err).toMatch(/signed {5}\/hook {2}msg_1 {2}\{"type":"batch\.finished"/);
  expect(told.err).toMatch(/FORGED {5}\/hook {2}msg_1/);
  // What is forged goes to no program.
  expect(JSON.parse(told.out)).toMatchObject({ type: 'batch.finished' });
  told.stop();
  expect(await told.ended).toBe(0);
  const wrong = run(['listen', '--secret', 'secret']);
  expect(await wrong.ended).toBe(2);
});
