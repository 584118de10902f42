// 0002-uploads.ts — uploads that wait for their batch have an owner and a name, and lists of failures an index.
//
// images_ended serves lists of failed and canceled images over all batches. It holds only those, so that an insert and a
// success pay nothing for it; lists by URL, serial number and name walk instead (read-all-images.ts).

import { sql } from 'kysely';
import type { Migration } from 'kysely/migration';

const uploads = `
alter table files
  add column owner text not null default '', -- of an upload; results are opened by their name
  add column label text; -- the name of an upload as its sender knows it
create index images_ended on images (id) where state in ('failed','canceled');
`;

export const uploadsOwned: Migration = {
  async up(db) {
    await sql.raw(uploads).execute(db);
  },
};
