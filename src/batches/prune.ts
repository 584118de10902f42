// prune.ts — lets go of what has been kept long enough.
//
// Results expire first (the row stays as long again, so that "expired" can be told from "never was"), then the batch goes.
// Files are never removed here: whatever loses its last user lands in the trash, and sweep.ts empties it. Statements that
// lock rows pass over those that somebody else holds, so that none of them can be part of a deadlock.

import { setImmediate } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Uses } from '../app.ts';
import { newId } from './ids.ts';
import { dropCatalogs, dropSources, dropUnusedUploads } from './prune-sources.ts';
import { windowsOf, type Window } from './windows.ts';

const idempotencyHours = 24;
const batchesAtOnce = 100;

/** One round over everything that has a retention, to its end or until `signal` aborts. One fault does not stop the rest. */
export async function prune(
  app: Uses<'db' | 'config'>,
  signal: AbortSignal = new AbortController().signal,
): Promise<void> {
  const { keepResultsMs, keepSourcesMs, keepEventsMs, keepDeliveriesMs } = app.config;
  const parts = [
    keepResultsMs !== undefined && (() => expireResults(app, keepResultsMs, signal)),
    keepResultsMs !== undefined && (() => repeat(signal, () => deleteOldBatches(app, keepResultsMs))),
    keepSourcesMs !== undefined && (() => dropSources(app, keepSourcesMs, signal)),
    keepSourcesMs !== undefined && (() => repeat(signal, () => dropCatalogs(app, keepSourcesMs))),
    () => dropUnusedUploads(app, signal),
    keepEventsMs !== undefined && (() => repeat(signal, () => deleteOlder(app, 'events', 'at', keepEventsMs))),
    keepDeliveriesMs !== undefined &&
      (() => repeat(signal, () => deleteOlder(app, 'deliveries', 'finished_at', keepDeliveriesMs))),
    () => repeat(signal, () => deleteOlder(app, 'idempotency_keys', 'created_at', idempotencyHours * 3_600_000)),
    () => repeat(signal, () => forgetHosts(app)),
  ];
  const faults: unknown[] = [];
  for (const part of parts) if (part && !signal.aborted) await part().catch((error: unknown) => faults.push(error));
  if (faults.length > 0) throw faults.length === 1 ? faults[0] : new AggregateError(faults, 'parts of pruning failed');
}

/** Bounded statements until one finds nothing more to do. */
async function repeat(signal: AbortSignal, some: () => Promise<number>): Promise<void> {
  while (!signal.aborted && (await some()) > 0) await setImmediate();
}

/**
 * Takes the results of batches that ended long ago, batch by batch; `expires_at` says that it is done. Ids are UUIDv7, so
 * the old batches stand at the beginning of the primary key.
 */
async function expireResults({ db }: Uses<'db'>, keepMs: number, signal: AbortSignal): Promise<void> {
  for (let after = newId(0); !signal.aborted;) {
    const { rows } = await sql<{ id: string }>`
      select id from batches
      where id > ${after} and id < ${newId(Date.now() - keepMs)} and expires_at is null
        and finished_at < now() - ${keepMs} * interval '1 ms'
      order by id limit ${batchesAtOnce}`.execute(db.query);
    const last = rows.at(-1);
    if (!last) return;
    for (const { id } of rows) {
      for await (const window of windowsOf({ db }, id, { from: 0, signal }))
        await expireWindow({ db }, id, { ...window, keepMs });
      await sql`
        update batches set expires_at = now()
        where id = ${id} and finished_at < now() - ${keepMs} * interval '1 ms'`.execute(db.query);
    }
    after = last.id;
  }
}

/** Looks at the batch again each time: a retry may have opened it, and its new results are young. */
async function expireWindow(
  { db }: Uses<'db'>,
  batchId: string,
  { from, to, keepMs }: Window & { keepMs: number },
): Promise<void> {
  await sql`
    with old as (
      select r.image_id, r.name, r.file from images i
      join batches b on b.id = i.batch_id and b.finished_at < now() - ${keepMs} * interval '1 ms'
      join renditions r on r.image_id = i.id and r.file is not null
      where i.batch_id = ${batchId} and i.position > ${from} and i.position <= ${to}
      order by r.image_id, r.name
      for update of r skip locked
    ), forgotten as (
      update renditions r set file = null from old where r.image_id = old.image_id and r.name = old.name
    )
    insert into trash (file) select distinct file from old order by 1
    on conflict (file) do update set at = excluded.at`.execute(db.query);
}

/** Uses batches_expiry. */
async function deleteOldBatches({ db }: Uses<'db'>, keepMs: number): Promise<number> {
  const { numAffectedRows } = await sql`
    update batches set chore = 'delete', worker = null
    where id in (
      select id from batches
      where expires_at < now() - ${keepMs} * interval '1 ms' and chore is null
      order by expires_at limit ${batchesAtOnce} for update skip locked)`.execute(db.query);
  return Number(numAffectedRows ?? 0n);
}

async function deleteOlder(
  { db }: Uses<'db'>,
  table: 'events' | 'deliveries' | 'idempotency_keys',
  column: 'at' | 'finished_at' | 'created_at',
  keepMs: number,
): Promise<number> {
  const [rows, age] = [sql.table(table), sql.ref(column)];
  const { numAffectedRows } = await sql`
    delete from ${rows} where ctid = any(array(
      select ctid from ${rows} where ${age} < now() - ${keepMs} * interval '1 ms' order by ${age}
      limit ${db.rowsPerStatement} for update skip locked))`.execute(db.query);
  return Number(numAffectedRows ?? 0n);
}

/** Hosts of which there is nothing to say any more. */
async function forgetHosts({ db }: Uses<'db'>): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from hosts where ctid = any(array(
      select ctid from hosts where coalesce(greatest(blocked_until, next_at, slowed_until), '-infinity') < now() - interval '1 hour'
      limit ${db.rowsPerStatement} for update skip locked))`.execute(db.query);
  return Number(numAffectedRows ?? 0n);
}
