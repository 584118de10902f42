// intake.ts — takes in what people send: catalogs and pictures, streamed into storage and judged on the way.
//
// What is refused leaves nothing behind. What is taken has a file in storage; its row in `files` comes with the batch, or,
// for a picture that waits for its batch, at once.

import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import type { Uses } from '../app.ts';
import { surveyCatalog } from '../catalogs/survey.ts';
import type { CatalogLimits, CatalogProblem } from '../catalogs/catalog.ts';
import type { Config } from '../config.ts';
import { sniff } from '../imaging/formats.ts';
import { problem } from '../problem.ts';
import { keyOf } from '../storage/storage.ts';
import { newFileName } from './ids.ts';
import type { ReceivedCatalog } from './model.ts';

export function catalogLimits(config: Config): CatalogLimits {
  return { maxRows: config.maxRows, maxRowUrls: config.maxRowUrls, maxColumns: 50, maxRecordBytes: 64 * 1024 };
}

/**
 * Streams a catalog into storage while it is surveyed. Throws the catalog's Problem (csv_*, not_csv, too_large,
 * too_many_rows), and then nothing is kept.
 */
export async function receiveCatalog(
  app: Uses<'storage' | 'config'>,
  source: AsyncIterable<Buffer>,
  { required }: { required: 'all' | 'urls' },
): Promise<ReceivedCatalog & { invalid: CatalogProblem[] }> {
  const file = newFileName('csv');
  const { result, bytes, sha256 } = await storeWhile(
    app,
    file,
    'text/csv',
    limited(source, app.config.maxCsv, 'DARKROOM_MAX_CSV'),
    (stream) => surveyCatalog(stream, { limits: catalogLimits(app.config), required }),
  );
  const { dialect, products, images, problems, problemCount, invalid } = result;
  return { file, bytes, sha256, dialect, products, images, problems, problemCount, invalid };
}

/** Whose upload it is, and what its sender calls it. */
export type Sender = { owner?: string; label?: string };
export type ReceivedUpload = { upload: string; mediaType: string; bytes: number; sha256: Buffer };

/** Streams a picture into storage; its bytes say what it is. Throws not_an_image, unsupported_format or too_large. */
export async function receiveUpload(
  app: Uses<'db' | 'storage' | 'config'>,
  source: AsyncIterable<Buffer>,
  { owner = '', label = '' }: Sender = {},
): Promise<ReceivedUpload> {
  const { head, whole } = await peek(limited(source, app.config.maxFile, 'DARKROOM_MAX_FILE'));
  const kind = sniff(head);
  const upload = newFileName(kind.extension);
  const { bytes, sha256 } = await storeWhile(app, upload, kind.mediaType, whole, drain);
  const named = { owner, label: label || null };
  const row = { name: upload, kind: 'source', media_type: kind.mediaType, bytes, sha256, ...named } as const;
  try {
    await app.db.query.insertInto('files').values(row).execute();
  } catch (error) {
    await discardReceived(app, upload);
    throw error;
  }
  return { upload, mediaType: kind.mediaType, bytes, sha256 };
}

/** Takes back a received file whose request is refused after all. */
export async function discardReceived(app: Uses<'storage'>, file: string): Promise<void> {
  await app.storage.remove([keyOf(file)]);
}

/** Takes back an upload. Should an image have it after all (a commit whose answer was lost), the row stays, and so the file. */
export async function discardUpload(app: Uses<'db' | 'storage'>, upload: string): Promise<void> {
  const row = app.db.query.deleteFrom('files').where('name', '=', upload).execute();
  const [gone] = await Promise.allSettled([row]);
  if (gone.status === 'fulfilled') await discardReceived(app, upload);
}

/** Writes the stream under `file` while `look` reads the same bytes; if either fails, nothing is kept. */
async function storeWhile<T>(
  { storage }: Uses<'storage'>,
  file: string,
  type: string,
  source: AsyncIterable<Buffer>,
  look: (stream: AsyncIterable<Buffer>) => Promise<T>,
): Promise<{ result: T; bytes: number; sha256: Buffer }> {
  const pipe = new PassThrough();
  // A refusal may destroy it before the storage has begun to read: without a listener that would end the process.
  pipe.on('error', () => {});
  const stored = storage.put(keyOf(file), pipe, { type });
  // Awaited below; until then a failing disk must not count as an unhandled rejection.
  const failed = stored.then(() => new Promise<never>(() => {}));
  failed.catch(() => {});
  async function* both() {
    for await (const chunk of source) {
      if (!pipe.write(chunk)) await Promise.race([once(pipe, 'drain'), failed]);
      yield chunk;
    }
    pipe.end();
  }
  try {
    const result = await look(both());
    return { result, ...(await stored) };
  } catch (error) {
    pipe.destroy(error as Error);
    await stored.catch(() => {});
    await storage.remove([keyOf(file)]);
    throw error;
  }
}

async function* limited(source: AsyncIterable<Buffer>, limit: number, setting: string): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.length;
    if (bytes > limit) throw problem('too_large', { limit: `${limit} bytes`, setting });
    yield chunk;
  }
}

const headBytes = 512;

/** The first bytes of a stream, and the whole stream again. */
export async function peek(source: AsyncGenerator<Buffer>): Promise<{ head: Buffer; whole: AsyncIterable<Buffer> }> {
  const first: Buffer[] = [];
  let length = 0;
  while (length < headBytes) {
    const next = await source.next();
    if (next.done) break;
    first.push(next.value);
    length += next.value.length;
  }
  async function* whole() {
    yield* first;
    yield* source;
  }
  return { head: Buffer.concat(first), whole: whole() };
}

async function drain(stream: AsyncIterable<Buffer>): Promise<void> {
  for await (const chunk of stream) void chunk;
}
