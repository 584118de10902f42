// s3.ts — objects in a bucket of S3, or of a server that speaks like it.
//
// S3 shows an object whole or not at all: results go as one request, streams in parts that are given up when the stream is
// cut. Nothing is ever listed to serve a request, and no conditional request is made: not every server knows them. Keys
// and secrets come from where the SDK looks for them (AWS_ACCESS_KEY_ID and so on), never from STORAGE_URL.

import {
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { problem } from '../problem.ts';
import { readBucketUrl } from './bucket-url.ts';
import { partsOf, type Storage } from './storage.ts';

const partBytes = 8 * 1024 * 1024;
const partsAtOnce = 2;
const removedAtOnce = 1_000;
const connectMs = 5_000;
const silentMs = 30_000;
const roomMs = 5_000;

export async function openS3(url: string): Promise<Storage> {
  const { bucket, prefix, region, endpoint, pathStyle } = readBucketUrl(url);
  const client = new S3Client({
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
    forcePathStyle: pathStyle,
    maxAttempts: 3,
    requestHandler: { connectionTimeout: connectMs, requestTimeout: silentMs, throwOnRequestTimeout: true },
    // Newer checksums are refused by servers that only speak like S3.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  await client.config.region().catch(() => {
    throw new Error('STORAGE_URL names no region. Write s3://bucket?region=eu-central-1, or set AWS_REGION.');
  });
  const placeOf = (key: string) => ({ Bucket: bucket, Key: prefix + partsOf(key).join('/') });
  const room = watchBucket(client, bucket);

  async function putBytes(key: string, body: Buffer, type: string) {
    await client.send(
      new PutObjectCommand({ ...placeOf(key), Body: body, ContentLength: body.length, ContentType: type }),
    );
    return { bytes: body.length, sha256: createHash('sha256').update(body).digest() };
  }

  async function putStream(key: string, body: Readable, type: string) {
    const counted = count(body);
    const params = { ...placeOf(key), Body: Readable.from(counted.chunks()), ContentType: type };
    const upload = new Upload({ client, params, partSize: partBytes, queueSize: partsAtOnce });
    try {
      await upload.done();
      return counted.facts();
    } catch (error) {
      body.destroy();
      throw counted.fault() ?? error;
    }
  }

  async function openObject(key: string, range?: { start: number; end: number }) {
    const place = placeOf(key);
    try {
      const asked = range && { Range: `bytes=${range.start}-${range.end}` };
      const found = await client.send(new GetObjectCommand({ ...place, ...asked }));
      if (!(found.Body instanceof Readable)) throw new Error('S3 answered without a body.');
      const sent = /^bytes (\d+)-\d+\/(\d+)$/.exec(found.ContentRange ?? '');
      const bytes = Number(sent?.[2] ?? found.ContentLength ?? 0);
      const start = (range?.start ?? 0) - Number(sent?.[1] ?? 0);
      const length = Math.min((range?.end ?? Infinity) + 1, bytes) - (range?.start ?? 0);
      if (length === found.ContentLength) return { body: found.Body, bytes };
      return { body: Readable.from(cut(found.Body, { start, length }), { objectMode: false }), bytes };
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      if (statusOf(error) !== 416) throw error;
      // The range begins behind the end, as every range of an empty object does.
      const { ContentLength: bytes = 0 } = await client.send(new HeadObjectCommand(place));
      return { body: Readable.from([]), bytes };
    }
  }

  async function remove(keys: string[]): Promise<void> {
    const places = keys.map(placeOf);
    for (let from = 0; from < places.length; from += removedAtOnce) {
      const some = places.slice(from, from + removedAtOnce);
      const objects = { Objects: some.map(({ Key }) => ({ Key })), Quiet: true };
      const { Errors: refused = [] } = await client
        .send(new DeleteObjectsCommand({ Bucket: bucket, Delete: objects }))
        .catch(() => ({ Errors: some })); // not every server removes many at once
      for (const { Key } of refused) await client.send(new DeleteObjectCommand({ Bucket: bucket, Key }));
    }
  }

  async function list(after: string | undefined, limit: number) {
    // The first version: it goes on after a key, where the second needs tokens that not every server can make.
    const found = await client.send(
      new ListObjectsCommand({
        Bucket: bucket,
        Prefix: prefix,
        MaxKeys: limit,
        ...(after !== undefined && { Marker: prefix + after }),
      }),
    );
    return (found.Contents ?? []).map(({ Key = '', Size = 0, LastModified = new Date() }) => ({
      key: Key.slice(prefix.length),
      bytes: Size,
      at: LastModified,
    }));
  }

  return {
    name: 's3',
    async put(key, body, { type }) {
      placeOf(key);
      if (body instanceof Readable) return told(putStream(key, body, type));
      return told(putBytes(key, Buffer.isBuffer(body) ? body : Buffer.concat(body), type));
    },
    open: async (key, range) => told(openObject(key, range)),
    remove: async (keys) => told(remove(keys)),
    list: async (after, limit) => told(list(after, limit)),
    room,
    close: async () => client.destroy(),
  };
}

/** For servers that send more than was asked for. */
async function* cut(body: Readable, { start, length }: { start: number; length: number }) {
  let at = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    const part = chunk.subarray(Math.max(0, start - at), Math.max(0, start + length - at));
    at += chunk.length;
    if (part.length > 0) yield part;
    if (at >= start + length) return;
  }
}

/** Counts and hashes what passes, and remembers whether the stream itself was at fault. */
function count(body: Readable) {
  const hash = createHash('sha256');
  let bytes = 0;
  let fault: unknown;
  return {
    async *chunks() {
      try {
        for await (const piece of body) {
          const chunk = Buffer.isBuffer(piece) ? piece : Buffer.from(piece as Uint8Array);
          hash.update(chunk);
          bytes += chunk.length;
          yield chunk;
        }
      } catch (error) {
        fault = error;
        throw error;
      }
    },
    facts: () => ({ bytes, sha256: hash.digest() }),
    fault: () => fault,
  };
}

/** What the SDK throws is a fault of our own house; everything else passes as it is. */
async function told<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!isOfSdk(error)) throw error;
    const isFull = statusOf(error) === 507 || /quota|InsufficientStorage/i.test((error as Error).name);
    throw problem(isFull ? 'storage_full' : 'unavailable', {}, { cause: error });
  }
}

/** The SDK marks its errors, also those of the connection, with what it tried. */
function isOfSdk(error: unknown): boolean {
  return typeof error === 'object' && error !== null && '$metadata' in error;
}

function statusOf(error: unknown): number | undefined {
  return isOfSdk(error) ? (error as { $metadata: { httpStatusCode?: number } }).$metadata.httpStatusCode : undefined;
}

/** There is always room in a bucket; whether it answers is asked at most every 5 s. */
function watchBucket(client: S3Client, bucket: string): Storage['room'] {
  let last: { at: number; answer: ReturnType<Storage['room']> } | undefined;

  async function look(): ReturnType<Storage['room']> {
    try {
      await client.send(new HeadBucketCommand({ Bucket: bucket }));
      return { ok: true };
    } catch (error) {
      const { name, message } = error as Error;
      return { ok: false, detail: `The bucket ${bucket} does not answer: ${message || name}` };
    }
  }

  return () => {
    if (!last || performance.now() - last.at > roomMs) last = { at: performance.now(), answer: look() };
    return last.answer;
  };
}
