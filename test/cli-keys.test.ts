// cli-keys.test.ts — `darkroom key`: on the tables, at a server, and what it says when neither can be had.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCommand } from '../src/cli/index.ts';
import { seedDataDir } from './support/databases.ts';
import { temporaryFolder } from './support/command.ts';
import { openServed, type Served } from './support/served.ts';

type Told = { code: number; out: string; err: string };

async function run(words: string[], env: Record<string, string>): Promise<Told> {
  const told = { out: '', err: '' };
  const code = await runCommand(words, {
    env: { DARKROOM_LOG_LEVEL: 'silent', ...env },
    out: { write: (text) => (told.out += text) },
    err: { write: (text) => (told.err += text) },
    onStop: () => () => {},
    exit: () => {},
  });
  return { code, ...told };
}

test('on the embedded database keys are made, listed and revoked', async () => {
  await using folder = await temporaryFolder();
  await seedDataDir(folder.path);
  const env = { DATA_DIR: folder.path };
  expect(await run(['key', 'list'], env)).toMatchObject({ code: 0, out: '' });
  const made = await run(['key', 'create', 'shop', '--scope', 'admin', '--owner', 'ada'], env);
  expect(made.code).toBe(0);
  expect(made.out).toMatch(/^drk_[A-Za-z0-9]{8}_[A-Za-z0-9_-]{43}\n$/);
  expect(made.err).toContain('whsec_');
  const prefix = made.out.slice(0, 12);
  const listed = await run(['key', 'list'], env);
  expect(listed.out).toMatch(new RegExp(`${prefix} +admin +ada .* live +shop`));
  expect(listed.out).not.toContain(made.out.trim());
  expect(await run(['key', 'revoke', prefix], env)).toMatchObject({ code: 0, out: '' });
  expect((await run(['key', 'list'], env)).out).toContain('revoked');
});

test('what cannot be a key is a mistake of the command line', async () => {
  const env = { DATA_DIR: '/nowhere' };
  const mistakes = [
    ['create'],
    ['create', 'x', '--scope', 'root'],
    ['create', 'x', '--owner', 'a b'],
    ['create', 'x', '--expires', '2020-01-01'],
    ['create', ' '],
  ];
  for (const words of mistakes) expect([words, (await run(['key', ...words], env)).code]).toEqual([words, 2]);
});

describe('at a server', () => {
  let served: Served;
  let key: string;
  const at = (...words: string[]) => run([...words, '--url', served.url], { DARKROOM_API_KEY: key });
  beforeAll(async () => {
    served = await openServed('pglite', { work: false });
    const made = await run(['key', 'create', 'first', '--scope', 'admin', '--url', served.url], {});
    key = made.out.trim();
  });
  afterAll(() => served[Symbol.asyncDispose]());

  test('the same commands work, with a key', async () => {
    const made = await at('key', 'create', 'shop', '--expires', '2999-01-31');
    expect(made.code).toBe(0);
    expect((await served.ask('/v1/batches', { headers: { 'x-api-key': made.out.trim() } })).status).toBe(200);
    expect((await at('key', 'list')).out.split('\n')).toHaveLength(4);
    expect((await at('key', 'revoke', made.out.trim())).code).toBe(0);
    expect((await served.ask('/v1/batches', { headers: { 'x-api-key': made.out.trim() } })).status).toBe(401);
    expect(await at('key', 'revoke', 'nosuch12')).toMatchObject({ code: 2 });
  });

  test('a key that does not suffice is 4, a server that is not there 3', async () => {
    const asNobody = await run(['key', 'list', '--url', served.url], {});
    expect(asNobody).toMatchObject({ code: 4, out: '' });
    expect(asNobody.err).toContain('DARKROOM_API_KEY');
    const weak = (await at('key', 'create', 'weak', '--scope', 'read')).out.trim();
    expect(await run(['key', 'list', '--url', served.url, '--key', weak], {})).toMatchObject({ code: 4 });
    expect(await run(['key', 'list', '--url', 'http://127.0.0.1:1'], {})).toMatchObject({ code: 3 });
    const stranger = await openStranger();
    const { port } = stranger.address() as AddressInfo;
    for (const words of [['list'], ['create', 'x']])
      expect(await run(['key', ...words, '--url', `http://127.0.0.1:${port}`], {})).toMatchObject({ code: 3 });
    stranger.close();
  });

  test('while a server has the embedded database open, the command says how to ask it', async () => {
    const told = await run(['key', 'list'], { DATA_DIR: served.app.config.dataDir });
    expect(told).toMatchObject({ code: 1, out: '' });
    expect(told.err).toContain('--url');
  });
});

/** A server that is none of ours. */
async function openStranger(): Promise<Server> {
  const server = createServer((_request, response) => void response.writeHead(404).end('<html>'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}
