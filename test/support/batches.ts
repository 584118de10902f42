// batches.ts — verbs of the heart that several test files need: chores, catalogs, cut connections, and the great check.

import { sql } from 'kysely';
import { claimChore, runChore } from '../../src/batches/chores.ts';
import { newId } from '../../src/batches/ids.ts';
import { receiveCatalog } from '../../src/batches/intake.ts';
import type { Batch } from '../../src/batches/model.ts';
import { enterWorker } from '../../src/batches/reap.ts';
import type { Database } from '../../src/db/database.ts';
import type { House } from './house.ts';

export const never = new AbortController().signal;

export async function* bytesOf(...texts: (string | Buffer)[]): AsyncGenerator<Buffer> {
  for (const text of texts) yield Buffer.from(text);
}

/** Submits a catalog with these data rows. */
export async function submitCatalog(house: House, rows: string): Promise<Batch> {
  const catalog = await receiveCatalog(house.app, bytesOf('S. No.,Product Name,Input Image Urls\n', rows), {
    required: 'all',
  });
  return house.submit({ catalog });
}

export const catalogRows = (count: number) =>
  Array.from({ length: count }, (_, n) => `${n + 1},P${n + 1},"https://a.example/${n}.jpg"\n`).join('');

/** Lets a worker (a new one by default) do one chore to its end; says which. */
export async function doChore(house: House, worker = newId(), signal = never): Promise<string | undefined> {
  const known = await house.app.db.query.selectFrom('workers').select('id').where('id', '=', worker).executeTakeFirst();
  if (!known) await enterWorker(house.app, { id: worker, version: 'test', slots: 1 });
  const chore = await claimChore(house.app, worker);
  if (chore) await runChore(house.app, chore, signal);
  return chore?.kind;
}

/** Ends every other connection to this database, as a restart of the server does. */
export async function cutConnections(db: Database): Promise<void> {
  await sql`
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and query not ilike 'listen%'`.execute(db.query);
}

/** What must hold whenever the house is quiet: I3, I5 and that every end was told as often as it is counted. */
export async function findMistakes(db: Database): Promise<unknown[]> {
  const { rows } = await sql`
    select b.id, b.state, b.total, b.succeeded, b.failed, b.canceled, b.chore, b.generation, i.*, e.finished
    from batches b
    left join lateral (
      select count(*) as rows, count(*) filter (where state = 'succeeded') as s, count(*) filter (where state = 'failed') as f,
        count(*) filter (where state = 'canceled') as c, count(distinct position) as places
      from images where batch_id = b.id
    ) i on true
    left join lateral (
      select count(*) as finished from events where batch_id = b.id and type = 'batch.finished'
    ) e on true
    where b.total <> i.rows or b.succeeded <> i.s or b.failed <> i.f or b.canceled <> i.c or i.places <> i.rows
      or b.state in ('expanding', 'queued', 'running') or b.chore is not null or e.finished <> b.generation
      or exists (
        select 1 from deliveries d where d.batch_id = b.id group by d.generation having count(*) > 1)
    union all
    select i.batch_id, 'no batch', null, null, null, null, null, null, null, null, null, null, null, null
    from images i where not exists (select 1 from batches b where b.id = i.batch_id)`.execute(db.query);
  return rows;
}
