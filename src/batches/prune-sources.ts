// prune-sources.ts — lets go of what people sent: pictures and catalogs of ended batches, and uploads that were never used.
//
// No index tells how old the source of an image is (it would tax every insert), so these walk in windows over the rows that
// have one. A retry afterwards fails as `expired`.

import { setImmediate } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Uses } from '../app.ts';
import { newId } from './ids.ts';

const unusedUploadHours = 24;
const filesAtOnce = 2_000;
const batchesAtOnce = 100;

/** Uploaded sources of batches that ended more than `keepMs` ago. Uses images_file. */
export async function dropSources({ db }: Uses<'db'>, keepMs: number, signal: AbortSignal): Promise<void> {
  let after = { source_file: '', id: newId(0) };
  for (let more = true; more && !signal.aborted; await setImmediate()) {
    const { rows } = await sql<typeof after>`
      with part as (
        select source_file, id, batch_id from images
        where source_file is not null and (source_file, id) > (${after.source_file}, ${after.id}::uuid)
        order by source_file, id
        limit ${db.rowsPerStatement}
      ), old as (
        select i.id, i.source_file from part s
        join images i on i.id = s.id
        join batches b on b.id = s.batch_id and b.finished_at < now() - ${keepMs} * interval '1 ms'
        order by i.id
        for update of i skip locked
      ), forgotten as (
        update images i set source_file = null from old where i.id = old.id
      ), dropped as (
        insert into trash (file) select distinct source_file from old order by 1
        on conflict (file) do update set at = excluded.at
      )
      select source_file, id from part order by source_file desc, id desc limit 1`.execute(db.query);
    more = rows[0] !== undefined;
    after = rows[0] ?? after;
  }
}

/** Catalogs of batches that ended more than `keepMs` ago; returns how many. Uses the primary key, old batches first. */
export async function dropCatalogs({ db }: Uses<'db'>, keepMs: number): Promise<number> {
  const { rows } = await sql<{ dropped: number }>`
    with old as (
      select id, catalog from batches
      where catalog is not null and id < ${newId(Date.now() - keepMs)}
        and finished_at < now() - ${keepMs} * interval '1 ms' and chore is null
      order by id limit ${batchesAtOnce} for update skip locked
    ), forgotten as (
      update batches b set catalog = null from old where b.id = old.id
    ), dropped as (
      insert into trash (file) select distinct catalog from old order by 1
      on conflict (file) do update set at = excluded.at
    )
    select count(*) as dropped from old`.execute(db.query);
  return Number(rows[0]?.dropped ?? 0);
}

/** Uploads that no batch has named within a day. */
export async function dropUnusedUploads({ db }: Uses<'db'>, signal: AbortSignal): Promise<void> {
  let after: string | null = '';
  while (after !== null && !signal.aborted) {
    const found: { rows: { last: string | null }[] } = await sql<{ last: string | null }>`
      with part as (
        select name, kind, created_at, gone_at from files where name > ${after} order by name limit ${filesAtOnce}
      ), dropped as (
        insert into trash (file)
        select name from part s
        where kind in ('source', 'catalog') and gone_at is null and created_at < now() - ${unusedUploadHours} * interval '1 hour'
          and not exists (select 1 from images i where i.source_file = s.name)
          and not exists (select 1 from batches b where b.catalog = s.name)
        on conflict (file) do nothing
      )
      select max(name) as last from part`.execute(db.query);
    after = found.rows[0]?.last ?? null;
    await setImmediate();
  }
}
