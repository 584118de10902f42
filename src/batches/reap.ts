// reap.ts — finds out who is dead, and hands their images on.
//
// A worker is silent when its row was not touched for ten seconds by the database's clock. Its images get their attempt
// back and a strike, and wait in lane 2, where a worker takes one at a time: a picture that kills its worker meets no
// second innocent there. Each strike sends it to the end of that lane, so that a row of unlucky deaths does not hit the same
// innocent again and again. The fifth strike ends the image as `worker_lost`.

import { hostname } from 'node:os';
import { sql } from 'kysely';
import type { Uses } from '../app.ts';
import { tellBatches } from '../notify/events.ts';
import { cancelPutBack } from './cancel.ts';
import { hotTimeoutMs } from './claim.ts';
import { closeBatches } from './close.ts';
import { recordEnds, type Ended } from './end.ts';

export const heartbeatMs = 3_000;
export const silentMs = 10_000;
const mostStrikes = 5;
const rowsAtOnce = 1_000;

export type WorkerRow = { id: string; version: string; slots: number };

/** Enters the worker in the table of the living. */
export async function enterWorker({ db }: Uses<'db'>, { id, version, slots }: WorkerRow): Promise<void> {
  await db.query.insertInto('workers').values({ id, machine: hostname(), pid: process.pid, version, slots }).execute();
}

/** Returns false when the worker has been declared dead: it must drop everything and take a new id. */
export async function heartbeat({ db }: Uses<'db'>, id: string, busy: number): Promise<boolean> {
  return db.transaction(
    async (tx) => {
      const beat = tx
        .updateTable('workers')
        .set({ seen_at: sql`now()`, busy })
        .where('id', '=', id);
      return (await beat.executeTakeFirst()).numUpdatedRows > 0n;
    },
    { timeoutMs: hotTimeoutMs },
  );
}

export async function leaveWorker({ db }: Uses<'db'>, id: string): Promise<void> {
  await db.query.deleteFrom('workers').where('id', '=', id).execute();
}

/**
 * Embedded, the lock on the data directory proves that every other worker is dead: their rows go at once, and their images
 * with the next reap.
 */
export async function declareOthersDead({ db }: Uses<'db'>, id: string): Promise<void> {
  await db.query.deleteFrom('workers').where('id', '!=', id).execute();
}

/**
 * Hands on the images of workers that are silent or gone; returns how many. Deletes the rows of the silent first, so that a
 * worker which is only slow learns of it at its next heartbeat.
 */
export async function reapSilentWorkers({ db }: Uses<'db'>, self: string): Promise<number> {
  return db.transaction(async (tx) => {
    await sql`delete from workers where id != ${self} and seen_at < now() - ${silentMs} * interval '1 ms'`.execute(tx);
    const { rows } = await sql<{ id: string; batch_id: string; state: 'queued' | 'failed' }>`
      with lost as (
        select id from images i
        where state = 'running' and not exists (select 1 from workers w where w.id = i.worker)
        order by id
        limit ${rowsAtOnce}
        for update skip locked
      )
      update images i set
        state = case when strikes + 1 >= ${mostStrikes} then 'failed' else 'queued' end,
        strikes = strikes + 1, lane = 2, turn = extract(epoch from clock_timestamp()) * 1000, attempts_left = attempts_left + 1, worker = null, run_at = null,
        error_code = case when strikes + 1 >= ${mostStrikes} then 'worker_lost' end,
        finished_at = case when strikes + 1 >= ${mostStrikes} then now() end
      from lost where i.id = lost.id
      returning i.id, i.batch_id, i.state`.execute(tx);
    const failed = rows.filter((row) => row.state === 'failed');
    await recordEnds(tx, [...failed.map(endedAsLost), ...(await cancelPutBack(tx, rows))]);
    if (rows.length > 0) await sql`select pg_notify('work', '')`.execute(tx);
    return rows.length;
  });
}

function endedAsLost({ id, batch_id }: { id: string; batch_id: string }): Ended {
  return { id, batchId: batch_id, state: 'failed', bytesIn: 0, bytesOut: 0 };
}

/** A claim without an answer has been given up by then. */
const strayMs = 15_000;

/**
 * Puts back images that run in the name of a living worker which does not hold them: the claim was committed and its answer
 * lost. Nobody else would: the reaper looks only at the dead. `held` is what the worker has in hand.
 */
export async function releaseStrays({ db }: Uses<'db'>, worker: string, held: string[]): Promise<number> {
  return db.transaction(async (tx) => {
    const { rows } = await sql<{ id: string; batch_id: string; state: string }>`
      with stray as (
        select id from images
        where worker = ${worker} and state = 'running' and started_at < now() - ${strayMs} * interval '1 ms'
          and id <> all(${held}::uuid[])
        order by id
        limit ${rowsAtOnce}
        for update
      )
      update images i set state = 'queued', attempts_left = attempts_left + 1, worker = null, run_at = null
      from stray where i.id = stray.id
      returning i.id, i.batch_id, i.state`.execute(tx);
    await recordEnds(tx, await cancelPutBack(tx, rows));
    return rows.length;
  });
}

/** Images whose wait is over become due. */
export async function wakeWaiting({ db }: Uses<'db'>): Promise<number> {
  const { rows } = await sql<{ woken: number }>`
    with due as (
      select id from images where state = 'queued' and run_at <= now()
      order by run_at limit ${rowsAtOnce} for update skip locked
    ), woken as (
      update images i set run_at = null from due where i.id = due.id returning i.id
    )
    select count(*) as woken, case when count(*) > 0 then pg_notify('work', '') end from woken`.execute(db.query);
  return rows[0]?.woken ?? 0;
}

/** Open batches that are complete though nobody closed them: rows deleted by hand, for example. */
export async function closeStragglers({ db }: Uses<'db'>): Promise<number> {
  const { rows } = await sql<{ id: string }>`
    select id from batches
    where state in ('expanding', 'queued', 'running') and succeeded + failed + canceled >= total and chore is null
    limit 100`.execute(db.query);
  if (rows.length === 0) return 0;
  return db.transaction(async (tx) => {
    const ids = rows.map((row) => row.id);
    const closed = await closeBatches(tx, ids);
    await tellBatches(tx, ids);
    return closed.length;
  });
}
