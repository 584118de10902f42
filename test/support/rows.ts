// rows.ts — the smallest rows that the tables accept, for tests that look at the database itself.

import { randomBytes, randomUUID } from 'node:crypto';
import type { Database } from '../../src/db/database.ts';
import type { ImageState } from '../../src/db/schema.ts';

export async function addFile(db: Database, kind: 'source' | 'result' | 'catalog'): Promise<string> {
  const name = `${randomBytes(13).toString('hex')}.jpg`;
  const row = { name, kind, media_type: 'image/jpeg', bytes: 1, sha256: randomBytes(32) };
  await db.query.insertInto('files').values(row).execute();
  return name;
}

/** A batch whose counters say what `states` say, and its images in that order. */
export async function addBatch(
  db: Database,
  options: { states: ImageState[]; catalog?: string; sources?: (string | null)[] },
): Promise<{ id: string; images: string[] }> {
  const { states, catalog = null, sources = [] } = options;
  const count = (state: ImageState) => states.filter((each) => each === state).length;
  const id = randomUUID();
  await db.query
    .insertInto('batches')
    .values({
      id,
      surface: 'native',
      state: 'running',
      lane: 1,
      renditions: '[]',
      catalog,
      total: states.length,
      succeeded: count('succeeded'),
      failed: count('failed'),
      canceled: count('canceled'),
    })
    .execute();
  const images = states.map((state, index) => ({
    id: randomUUID(),
    batch_id: id,
    position: index + 1,
    lane: 1 as const,
    turn: 0,
    state,
    source_file: sources[index] ?? null,
    source_url: sources[index] ? null : `https://example.com/${index}.jpg`,
  }));
  for (let from = 0; from < images.length; from += 500)
    await db.query
      .insertInto('images')
      .values(images.slice(from, from + 500))
      .execute();
  return { id, images: images.map((image) => image.id) };
}

export async function addRendition(db: Database, image: string, file: string | null): Promise<void> {
  const row = { image_id: image, name: 'default', file, work_key: randomUUID(), width: 1, height: 1 };
  await db.query.insertInto('renditions').values(row).execute();
}
