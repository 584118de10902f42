// receive.ts — takes a body in: counted, hashed on the way, never joined, and dropped when it is too long or too slow.

import { createHash } from 'node:crypto';
import type { Dispatcher } from 'undici';
import { problem } from '../problem.ts';
import { slowestBytesPerSecond } from './limits.ts';

// About what a page of an error weighs; more is dearer than a new connection.
const discardBytes = 16 * 1024;
const discardWithinMs = 500;

export type Body = Dispatcher.ResponseData['body'];

/** Reads the whole body; `tooLong` makes the error for one of more than `limit` bytes. */
export function receive(
  body: Body,
  { limit, graceMs, tooLong }: { limit: number; graceMs: number; tooLong: () => Error },
): Promise<{ chunks: Buffer[]; bytes: number; sha256: Buffer }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ chunks: Buffer[]; bytes: number; sha256: Buffer }>();
  const chunks: Buffer[] = [];
  const hash = createHash('sha256');
  let bytes = 0;
  const stopWatching = watchPace({
    graceMs,
    bytesSoFar: () => bytes,
    giveUp: () => body.destroy(problem('timeout')),
  });
  body.on('error', reject);
  body.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    chunks.push(chunk);
    hash.update(chunk);
    if (bytes > limit) body.destroy(tooLong());
  });
  body.on('end', () => resolve({ chunks, bytes, sha256: hash.digest() }));
  return promise.finally(stopWatching);
}

/** The first bytes of a reply as text that a database and a page can hold; the rest is dropped. Never fails. */
export function readExcerpt(body: Body, { limit, maxBody }: { limit: number; maxBody: number }): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const chunks: Buffer[] = [];
  let bytes = 0;
  const finish = () => {
    const text = new TextDecoder().decode(Buffer.concat(chunks).subarray(0, limit));
    resolve(text.replaceAll(/\p{Cc}/gu, (control) => ('\t\n\r'.includes(control) ? control : '')));
  };
  body.on('data', (chunk: Buffer) => {
    if (bytes < limit) chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > maxBody) body.destroy();
  });
  // The status has arrived, and it alone decides: a body that breaks off only makes the excerpt shorter.
  body.on('error', finish);
  body.on('end', finish);
  return promise;
}

/** Lets go of a body nobody wants. A short one is read to its end, because that keeps the connection. */
export async function discard(body: Body): Promise<void> {
  // Destroyed bodies error later: without a listener that would end the process.
  body.on('error', () => {});
  const patience = setTimeout(() => body.destroy(), discardWithinMs);
  await body.dump({ limit: discardBytes }).catch(() => {});
  clearTimeout(patience);
}

type Pace = { graceMs: number; bytesSoFar: () => number; giveUp: () => void };

/** Gives up on a body slower than the rate floor, averaged since its beginning. Returns how to stop watching. */
function watchPace({ graceMs, bytesSoFar, giveUp }: Pace): () => void {
  const begun = performance.now();
  const look = () => {
    const seconds = (performance.now() - begun) / 1000;
    if (bytesSoFar() < slowestBytesPerSecond * seconds) return giveUp();
    timer = setTimeout(look, 1000);
  };
  let timer = setTimeout(look, graceMs);
  return () => clearTimeout(timer);
}
