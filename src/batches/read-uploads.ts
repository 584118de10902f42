// read-uploads.ts — the list of everything that was uploaded, newest first, whatever batch it belongs to.
//
// Served by the partial index images_uploads, read backwards. Ids rise with time, so the id is the key of the pages.

import { sql, type RawBuilder } from 'kysely';
import type { Uses } from '../app.ts';
import type { Image } from './model.ts';
import { selectImages } from './read-images.ts';
import { stageConditions, type Stage } from './stages.ts';

export type UploadFilter = {
  owner?: string;
  stage?: Stage;
  /** Only images older than the one with this id. */
  before?: string;
};

/** Images with an upload source, newest first. */
export async function listUploads(
  { db }: Uses<'db'>,
  { owner, stage, before, limit }: UploadFilter & { limit: number },
): Promise<Image[]> {
  const conditions: RawBuilder<boolean>[] = [sql`i.source_url is null`, sql`b.chore is distinct from 'delete'`];
  if (owner !== undefined) conditions.push(sql`b.owner = ${owner}`);
  if (stage) conditions.push(stageConditions[stage]);
  if (before !== undefined) conditions.push(sql`i.id < ${before}`);
  return selectImages(db.query, conditions, sql`i.id desc`, limit);
}

const pageImages = 500;

/** All of them, read page by page while they are taken. */
export function uploadsNewestFirst(app: Uses<'db'>, filter: UploadFilter): AsyncIterable<Image> {
  const next = (last: Image | undefined, limit: number) =>
    listUploads(app, { ...filter, ...(last && { before: last.id }), limit });
  return app.db.pages(next, pageImages);
}
