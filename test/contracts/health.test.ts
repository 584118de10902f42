// health.test.ts — alive, ready, well: and what a probe learns when it is not.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { openServed, type Served } from '../support/served.ts';

const key = `drk_abcdefgh_${'k'.repeat(43)}`;
let served: Served;
beforeAll(async () => {
  served = await openServed('pglite', { work: false, env: { DARKROOM_API_KEY: key } });
});
afterAll(() => served[Symbol.asyncDispose]());

test('everyone may ask whether it lives, is ready and well', async () => {
  expect(await served.ask('/livez')).toMatchObject({ status: 200, json: { status: 'ok' } });
  const ready = await served.ask('/readyz');
  expect(ready).toMatchObject({ status: 200, json: { status: 'ok' } });
  const names = ready.json.checks.map(({ name }: { name: string }) => name);
  expect(names).toEqual(['server', 'database', 'storage', 'queue', 'sandbox']);
});

test('without a key health is a word, with one it is the whole story', async () => {
  const stranger = await served.ask('/health');
  expect(Object.keys(stranger.json)).toEqual(['status', 'checks']);
  const { json } = await served.ask('/health', { headers: { authorization: `Bearer ${key}` } });
  expect(json).toMatchObject({
    status: 'ok',
    checks: { database: 'ok', queue: 'ok', storage: 'ok' },
    summary: 'Everything works.',
    engines: { database: 'pglite', queue: 'database' },
    waiting: 0,
  });
});
