// intake-images.ts — takes in the pictures of one form, among which some may be none.
//
// A form of a hundred files is not refused for one of them: what is no picture is read to its end, so that its size can be
// told, and nothing of it is kept. Its reason becomes an image that was born failed.

import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import type { Uses } from '../app.ts';
import { sniff } from '../imaging/formats.ts';
import { asProblem, problem, type Problem } from '../problem.ts';
import { keyOf } from '../storage/storage.ts';
import { peek, receiveUpload, type ReceivedUpload, type Sender } from './intake.ts';
import type { NewImage } from './model.ts';

export type ReceivedImage = ReceivedUpload | { refused: Problem; bytes: number; sha256: Buffer };

/** Streams a picture into storage, or measures what is none. Throws too_large, and what the storage throws. */
export async function receiveImage(
  app: Uses<'db' | 'storage' | 'config'>,
  source: AsyncIterable<Buffer>,
  sender: Sender,
): Promise<ReceivedImage> {
  const { head, whole } = await peek(chunksOf(source));
  const refused = refusalOf(head);
  return refused ? { refused, ...(await measure(app, whole)) } : receiveUpload(app, whole, sender);
}

/** What a received image is to its batch. */
export function sourceOf(image: ReceivedImage): NewImage['source'] {
  return 'upload' in image ? { upload: image.upload } : { refused: image.refused.code, bytes: image.bytes };
}

/**
 * Takes back pictures of a request that is refused after all, unless a batch has them: when the answer to a commit was lost,
 * nobody knows. Never throws: what cannot be taken back now is swept after a day, like any upload without a batch.
 */
export async function discardImages(
  { db, storage, log }: Uses<'db' | 'storage' | 'log'>,
  images: ReceivedImage[],
): Promise<void> {
  const names = images.flatMap((image) => ('upload' in image ? image.upload : []));
  if (names.length === 0) return;
  try {
    const { rows } = await sql<{ name: string }>`
      delete from files f where name = any(${names}::text[]) and gone_at is null
        and not exists (select 1 from images where source_file = f.name)
      returning name`.execute(db.query);
    await storage.remove(rows.map(({ name }) => keyOf(name)));
  } catch (error) {
    log.warn({ err: error, files: names.length }, 'refused uploads stay until the sweep');
  }
}

function refusalOf(head: Buffer): Problem | undefined {
  try {
    sniff(head);
    return undefined;
  } catch (error) {
    return asProblem(error);
  }
}

async function measure({ config }: Uses<'config'>, source: AsyncIterable<Buffer>) {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.length;
    if (bytes > config.maxFile)
      throw problem('too_large', { limit: `${config.maxFile} bytes`, setting: 'DARKROOM_MAX_FILE' });
    hash.update(chunk);
  }
  return { bytes, sha256: hash.digest() };
}

async function* chunksOf(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield* source;
}
