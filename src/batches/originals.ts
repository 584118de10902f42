// originals.ts — the pictures that people sent, as they sent them.

import type { Readable } from 'node:stream';
import { sql } from 'kysely';
import type { Uses } from '../app.ts';
import { problem } from '../problem.ts';
import { keyOf } from '../storage/storage.ts';
import type { Image } from './model.ts';

export type Original = { file: string; bytes: number; open(): Promise<Readable> };

/** The upload of an image. Throws `not_found` for one that came from a URL, `expired` when it was swept. */
export async function originalOf(app: Uses<'db' | 'storage'>, { id, source }: Image): Promise<Original> {
  if (source.url !== null) throw problem('not_found');
  const { rows } = await sql<{ name: string; bytes: number }>`
    select f.name, f.bytes from images i join files f on f.name = i.source_file and f.gone_at is null
    where i.id = ${id}`.execute(app.db.query);
  const [row] = rows;
  if (!row) throw problem('expired');
  return {
    file: row.name,
    bytes: row.bytes,
    async open() {
      const stored = await app.storage.open(keyOf(row.name));
      if (!stored) throw problem('expired');
      return stored.body;
    },
  };
}
