// http-refusals.test.ts — who is refused in the middle of a body still gets to read why.
//
// Against a process of its own: in one process sender and server take turns, and no answer ever crosses a body.

import { request } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openStandalone, type Standalone } from './support/standalone.ts';

let product: Standalone;
beforeAll(async () => {
  product = await openStandalone({}, ['serve', '--no-worker']);
});
afterAll(() => product[Symbol.asyncDispose]());

/** Sends megabytes in chunks, as fast as they are taken, and gives the status or what broke. */
function pour(path: string, type: string, megabytes: number): Promise<number | string> {
  return new Promise((resolve) => {
    const sending = request(product.url + path, { method: 'POST', headers: { 'content-type': type } }, (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode ?? 0));
    });
    sending.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    const chunk = Buffer.alloc(1024 ** 2, '"');
    const more = (left: number): void => {
      if (left === 0) sending.end();
      else if (sending.write(chunk)) more(left - 1);
      else sending.once('drain', () => more(left - 1));
    };
    more(megabytes);
  });
}

test('a body that is far too large is answered 413 and not cut off', async () => {
  const answers: (number | string)[] = [];
  for (let round = 0; round < 10; round += 1)
    for (const path of ['/upload', '/image_process/upload/', '/v1/batches', '/v1/pipelines/check'])
      answers.push(await pour(path, 'application/json', 30));
  for (const path of ['/upload', '/image_process/upload/', '/v1/batches'])
    answers.push(await pour(path, 'text/csv', 30));
  expect(answers.filter((answer) => answer !== 413)).toEqual([]);
});

test('a body for a path or method that takes none is answered too', async () => {
  expect(await pour('/nowhere', 'text/csv', 30)).toBe(404);
  expect(await pour('/status/x', 'text/csv', 30)).toBe(405);
});
