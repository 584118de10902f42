// What the log says, and what it must never say.

import { expect, test } from 'vitest';
import { barLine } from '../src/cli/progress.ts';
import { openLog } from '../src/cli/log.ts';
import type { Batch } from '../src/batches/model.ts';

function logged(format: 'json' | 'pretty', write: (log: ReturnType<typeof openLog>) => void): string {
  let text = '';
  write(openLog({ logLevel: 'info', logFormat: format }, { write: (line) => (text += line) }));
  return text;
}

const hostile = 'a\u001b[31mb\u0085c\u2028d\u202ee\u2066f\ng';

test('a line of JSON for each event, with its time and without the name of the machine', () => {
  const text = logged('json', (log) => log.info({ batch: 'b1', ms: 12 }, 'batch ended'));
  expect(text.endsWith('\n')).toBe(true);
  expect(JSON.parse(text)).toEqual({
    level: 30,
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    batch: 'b1',
    ms: 12,
    msg: 'batch ended',
  });
});

test.each(['json', 'pretty'] as const)('%s: text of strangers stays one line and steers no terminal', (format) => {
  const text = logged(format, (log) => log.warn({ name: hostile }, hostile));
  expect(text.trimEnd().split('\n')).toHaveLength(1);
  expect(text.trimEnd()).not.toMatch(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
  expect(text).toMatch(/a.*31mb.*c/);
});

test.each(['json', 'pretty'] as const)('%s: keys, cookies, signatures, tokens and passwords are cut out', (format) => {
  const headers = {
    authorization: 'Bearer canary',
    cookie: 'canary',
    'x-api-key': 'canary',
    'webhook-signature': 'v1,canary',
    accept: 'image/*',
  };
  const text = logged(format, (log) => {
    log.info({ req: { headers } }, 'GET /ws?token=canary&a=1');
    log.info(headers, 'postgres://ada:canary@db/shop');
    log.error({ err: new Error('cannot reach postgres://ada:canary@db/shop') }, 'failed');
  });
  expect(text).not.toMatch(/canary/);
  expect(text).toMatch(/image\/\*/);
  expect(text).toMatch(/postgres:\/\/ada:\*\*\*@db/);
});

test('pretty lines begin with the time and end with the facts; errors show where they came from', () => {
  const text = logged('pretty', (log) => log.error({ batch: 'b1', err: new Error('no room') }, 'batch stopped'));
  expect(text).toMatch(/^\d\d:\d\d:\d\d ERROR batch stopped batch=b1\n {2}Error: no room\n {4}at /);
});

test('the bar fits the terminal and tells counts, failures, rate and time left', () => {
  const counts = { total: 1000, succeeded: 500, failed: 10, canceled: 0 };
  const batch = { counts } as Batch;
  const progress = { percent: 51, imagesPerSecond: 201.3, etaSeconds: 185, slowestHost: null };
  expect(barLine(batch, progress, 200)).toBe(
    '[##########----------]  51.0 %  510/1000  10 failed  201.3/s  3 min left',
  );
  expect(barLine(batch, progress, 40)).toHaveLength(39);
});
