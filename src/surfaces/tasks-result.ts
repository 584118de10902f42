// tasks-result.ts — the result of a task: base64 inside JSON, or the bytes themselves.
//
// JSON is what E's README shows; an <img> tag wants bytes. Base64 is written while the file is read, so that an answer
// costs the memory of a chunk. Its length is known before: a file that breaks off breaks the connection.

import { pipeline, Transform } from 'node:stream';
import type { App } from '../app.ts';
import type { Image } from '../batches/model.ts';
import { openResult, privately, sendHead, serveFile } from '../http/files.ts';
import type { Answering, Ask } from '../http/http.ts';
import { Problem, problem } from '../problem.ts';
import { failureOf, resultOf, resultUrl, wordOfImage, type Result } from './image-words.ts';

export async function sendResult(app: App, request: Ask, reply: Answering, image: Image, raw: boolean) {
  const status = wordOfImage(image);
  if (status === 'failed') {
    const error = errorOf(image);
    // The code is the picture's; the status says that there is nothing to be had.
    if (raw) return reply.code(409).send({ detail: error, code: image.error?.code ?? 'internal', status });
    return reply.send({ status, data: null, error });
  }
  if (status !== 'completed') {
    if (raw) throw problem('not_ready', {}, { extra: { status }, retryAfterMs: 2000 });
    return reply.code(202).header('retry-after', '2').send({ status, data: null });
  }
  const result = await resultOf(app, image);
  if (!result) throw problem('expired');
  return raw ? sendRaw(app, request, reply, result) : sendJson(app, request, reply, result);
}

/** Why a task has failed, in E's words. */
export function errorOf(image: Image): string | null {
  return image.state === 'canceled' ? 'canceled' : failureOf(image);
}

async function sendRaw(app: App, request: Ask, reply: Answering, { file }: Result) {
  try {
    return await serveFile(app, request, reply, file, privately);
  } catch (error) {
    throw error instanceof Problem && error.code === 'not_found' ? problem('expired') : error;
  }
}

async function sendJson(app: App, request: Ask, reply: Answering, result: Result) {
  const { file, mediaType, width, height, bytes } = result;
  const rest = { content_type: mediaType, width, height, size: bytes, url: resultUrl(app, file) };
  const [head, tail] = ['{"status":"completed","data":"', `",${JSON.stringify(rest).slice(1)}`];
  const length = Buffer.byteLength(head) + 4 * Math.ceil(bytes / 3) + Buffer.byteLength(tail);
  const answer = () => reply.type('application/json; charset=utf-8').header('content-length', String(length));
  if (request.method === 'HEAD') return sendHead(answer());
  const stored = await openResult(app, file);
  if (!stored) throw problem('expired');
  // Whichever ends early takes the other along; the answer itself tells its reader.
  return answer().send(pipeline(stored, asBase64(head, tail), () => {}));
}

function asBase64(head: string, tail: string): Transform {
  // Three bytes are four letters: what a chunk leaves over waits for the next one.
  let left: Buffer = Buffer.alloc(0);
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const bytes = left.length > 0 ? Buffer.concat([left, chunk]) : chunk;
      const whole = bytes.length - (bytes.length % 3);
      left = bytes.subarray(whole);
      done(null, bytes.toString('base64', 0, whole));
    },
    flush: (done) => done(null, left.toString('base64') + tail),
  });
  stream.push(head);
  return stream;
}

/** True when every kind that is wanted most is a picture: an <img> tag says so, curl and address bars do not. */
export function wantsPicture(accept: string | undefined): boolean {
  const ranges = (accept ?? '').split(',').flatMap((text) => {
    const [kind = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
    const weight = parameters.find((each) => each.startsWith('q='))?.slice(2);
    return kind === '' ? [] : [{ kind, weight: weight === undefined ? 1 : Number(weight) || 0 }];
  });
  const most = Math.max(0, ...ranges.map(({ weight }) => weight));
  return most > 0 && ranges.every(({ kind, weight }) => weight < most || kind.startsWith('image/'));
}
