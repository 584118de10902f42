// files.ts — serves result files: an unguessable name is the permission, and a file never changes.
//
// So the ETag is the hash of the bytes, the answer may be kept for ever, and ranges need no lock. The type is the one our
// own encoder wrote; the headers keep a browser from running anything in it.

import { Readable } from 'node:stream';
import { findFile } from '../batches/read-output.ts';
import type { Uses } from '../app.ts';
import { problem } from '../problem.ts';
import { keyOf } from '../storage/storage.ts';
import { resultHeaders } from './headers.ts';
import type { Answering, Ask } from './http.ts';

/** For a result that is asked for by an id: the id is no permission, and may mean another file tomorrow. */
export const privately: Readonly<Record<string, string>> = { 'cache-control': 'private, no-cache' };

/** Answers GET and HEAD of one result file; throws `not_found`, or `range_not_satisfiable`. `other` headers replace ours. */
export async function serveFile(
  app: Uses<'db' | 'storage'>,
  request: Ask,
  reply: Answering,
  name: string,
  other: Readonly<Record<string, string>> = {},
) {
  // The name is the permission: whoever tries many of them is guessing.
  const guesses = request.server.limits.files(request);
  const file = /^[A-Za-z0-9._-]{1,255}$/.test(name) ? await findFile(app, name) : undefined;
  if (!file || file.kind !== 'result') {
    guesses.missed();
    throw problem('not_found');
  }
  const etag = `"${file.sha256.toString('hex')}"`;
  const range = rangeOf(request, file.bytes, etag);
  if (range === 'outside')
    throw problem('range_not_satisfiable', {}, { headers: { 'content-range': `bytes */${file.bytes}` } });
  // Kept for ever only when it is there: the headers of an error stay those of an error.
  const facts = { etag, 'accept-ranges': 'bytes', 'last-modified': file.createdAt.toUTCString() };
  const headers = { ...resultHeaders, ...other, ...facts };
  if (matches(request.headers['if-none-match'], etag)) return reply.code(304).headers(headers).send();
  const length = range ? range.end - range.start + 1 : file.bytes;
  const answer = () => {
    reply.headers(headers).type(file.mediaType).header('content-length', String(length));
    return range
      ? reply.code(206).header('content-range', `bytes ${range.start}-${range.end}/${file.bytes}`)
      : reply.code(200);
  };
  if (request.method === 'HEAD') return sendHead(answer());
  const stored = await app.storage.open(keyOf(name), range);
  if (!stored) throw problem('not_found');
  return answer().send(stored.body);
}

/** The bytes of a result, for an answer that carries them inside; undefined when they are gone. */
export async function openResult({ storage }: Uses<'storage'>, name: string): Promise<Readable | undefined> {
  return (await storage.open(keyOf(name)))?.body;
}

/** Ends an answer to HEAD without a body. Sending nothing would state a length of 0; a stream leaves the headers alone. */
export function sendHead(reply: Answering): Answering {
  return reply.send(Readable.from([]));
}

type Range = { start: number; end: number };

/** One range of bytes. Several ranges, and what is not understood, mean the whole file (RFC 9110 §14.2). */
function rangeOf(request: Ask, size: number, etag: string): Range | 'outside' | undefined {
  const { range, 'if-range': condition } = request.headers;
  if (!range || request.method !== 'GET' || (condition !== undefined && condition !== etag)) return undefined;
  const [, from, to] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(range.trim()) ?? [];
  if (from === undefined || to === undefined || (from === '' && to === '')) return undefined;
  const start = from === '' ? Math.max(0, size - Number(to)) : Number(from);
  const end = from === '' || to === '' ? size - 1 : Math.min(Number(to), size - 1);
  if (from !== '' && to !== '' && Number(to) < Number(from)) return undefined;
  return start >= size || (from === '' && to !== '' && Number(to) === 0) ? 'outside' : { start, end };
}

function matches(header: string | undefined, etag: string): boolean {
  if (!header) return false;
  return header.trim() === '*' || header.split(',').some((each) => each.trim().replace(/^W\//, '') === etag);
}
