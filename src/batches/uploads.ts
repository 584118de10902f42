// uploads.ts — files that came before the batch they are for: pictures and catalogs, told apart by their content.
//
// Names and types that a sender gives say nothing. What is neither is refused as whatever it resembles more: a text gets
// the fault of the CSV it might have been, everything else is no image. An upload belongs to its owner; a batch may name
// it until a day has passed without use.

import type { Uses } from '../app.ts';
import type { CatalogProblem } from '../catalogs/catalog.ts';
import { surveyCatalog } from '../catalogs/survey.ts';
import { sniff } from '../imaging/formats.ts';
import { recognise } from '../imaging/signatures.ts';
import { problem, Problem } from '../problem.ts';
import { keyOf } from '../storage/storage.ts';
import {
  catalogLimits,
  discardUpload,
  peek,
  receiveCatalog,
  receiveUpload,
  type ReceivedUpload,
  type Sender,
} from './intake.ts';
import type { ReceivedCatalog } from './model.ts';

export type JudgedCatalog = ReceivedCatalog & { invalid: CatalogProblem[] };
/** One file of a request, whole in storage. A catalog has no row in `files` before its batch, or `keepCatalog`. */
export type ReceivedFile = { picture: ReceivedUpload } | { catalog: JudgedCatalog };

/** Streams a picture or a catalog into storage. Throws what is wrong with it, and then nothing is kept. */
export async function receiveFile(
  app: Uses<'db' | 'storage' | 'config'>,
  source: AsyncIterable<Buffer>,
  sender: Sender,
): Promise<ReceivedFile> {
  const { head, whole } = await peek(chunksOf(source));
  const found = recognise(head);
  if (found.kind !== 'other') return { picture: await receiveUpload(app, whole, sender) };
  try {
    return { catalog: await receiveCatalog(app, whole, { required: 'urls' }) };
  } catch (error) {
    if (error instanceof Problem && error.status === 422 && found.name !== 'a text') sniff(head);
    throw error;
  }
}

async function* chunksOf(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield* source;
}

/** Gives a received catalog a row of its own, so that a later request can name it. */
export async function keepCatalog(
  app: Uses<'db'>,
  { file, bytes, sha256 }: ReceivedCatalog,
  { owner = '', label = '' }: Sender,
): Promise<void> {
  const row = { name: file, kind: 'catalog', media_type: 'text/csv', bytes, sha256, owner } as const;
  await app.db.query
    .insertInto('files')
    .values({ ...row, label: label || null })
    .execute();
}

/** Takes back files of a request that is refused after all. */
export async function discardFiles(app: Uses<'db' | 'storage'>, files: ReceivedFile[]): Promise<void> {
  for (const file of files) await discardUpload(app, nameOf(file));
}

export const nameOf = (file: ReceivedFile): string => ('picture' in file ? file.picture.upload : file.catalog.file);

export type Upload = { name: string; kind: 'source' | 'catalog'; label: string | null; bytes: number; sha256: Buffer };

/** The upload of that name, or undefined: unknown, swept, or another owner's. `owner` undefined = any. */
export async function findUpload({ db }: Uses<'db'>, name: string, owner?: string): Promise<Upload | undefined> {
  const row = await db.query
    .selectFrom('files')
    .select(['name', 'kind', 'label', 'bytes', 'sha256'])
    .where('name', '=', name)
    .where('gone_at', 'is', null)
    .where((eb) => (owner === undefined ? eb.val(true) : eb('owner', '=', owner)))
    .executeTakeFirst();
  if (!row || row.kind === 'result') return undefined;
  return { ...row, kind: row.kind };
}

/** Reads a catalog that was uploaded before as if it came just now; throws its fault, or `unknown_upload`. */
export async function surveyUpload(
  app: Uses<'storage' | 'config'>,
  { name, bytes, sha256 }: Upload,
): Promise<JudgedCatalog> {
  const stored = await app.storage.open(keyOf(name));
  if (!stored) throw problem('unknown_upload', { name });
  const limits = catalogLimits(app.config);
  const survey = await surveyCatalog(stored.body, { limits, required: 'urls' });
  const { dialect, products, images, problems, problemCount, invalid } = survey;
  return { file: name, bytes, sha256, dialect, products, images, problems, problemCount, invalid };
}
