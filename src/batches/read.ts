// read.ts — what the surfaces may ask about batches.
//
// Counts come from the batch's counters, never from counting rows. A batch that is being deleted is already gone here. The
// owner is part of the predicate: somebody else's batch and no batch are the same answer.

import { sql, type RawBuilder } from 'kysely';
import type { Uses } from '../app.ts';
import type { CatalogProblem, Dialect } from '../catalogs/catalog.ts';
import type { Queries } from '../db/database.ts';
import type { Lane } from '../queue/queue.ts';
import { timeOf } from './ids.ts';
import { hasEnded, openStates, type Batch, type BatchState, type FailureGroup, type Rendition } from './model.ts';
import { silentMs } from './reap.ts';

/** The batch, or undefined: unknown, being deleted, or another owner's. `owner` undefined = any. */
export async function findBatch({ db }: Uses<'db'>, id: string, owner?: string): Promise<Batch | undefined> {
  return readBatch(db.query, id, owner);
}

/** As findBatch, inside an open transaction. */
export async function readBatch(db: Queries, id: string, owner?: string): Promise<Batch | undefined> {
  const conditions = [sql<boolean>`b.id = ${id}`];
  if (owner !== undefined) conditions.push(sql`b.owner = ${owner}`);
  const [batch] = await selectBatches(db, conditions, 1);
  return batch;
}

/** Those of the batches that are there, in no order. */
export async function findBatches({ db }: Uses<'db'>, ids: string[]): Promise<Batch[]> {
  return ids.length === 0 ? [] : selectBatches(db.query, [sql<boolean>`b.id = any(${ids}::uuid[])`], ids.length);
}

export type BatchFilter = {
  owner?: string;
  state?: BatchState;
  surface?: string;
  /** Part of the name, any case. */
  q?: string;
  createdAfter?: Date;
  createdBefore?: Date;
  /** Only batches older than the one with this id: the next page. */
  before?: string;
  limit: number;
};

/** Newest first. */
export async function listBatches({ db }: Uses<'db'>, filter: BatchFilter): Promise<Batch[]> {
  const { owner, state, surface, q, createdAfter, createdBefore, before, limit } = filter;
  const conditions: RawBuilder<boolean>[] = [];
  if (owner !== undefined) conditions.push(sql`b.owner = ${owner}`);
  if (state) conditions.push(sql`b.state = ${state}`);
  if (surface) conditions.push(sql`b.surface = ${surface}`);
  if (q) conditions.push(sql`b.name ilike ${`%${q.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`}`);
  if (createdAfter) conditions.push(sql`b.created_at > ${createdAfter}`);
  if (createdBefore) conditions.push(sql`b.created_at < ${createdBefore}`);
  if (before) conditions.push(sql`b.id < ${before}`);
  return selectBatches(db.query, conditions, limit);
}

type BatchRow = {
  id: string;
  name: string | null;
  surface: string;
  owner: string;
  state: BatchState;
  generation: number;
  lane: Lane;
  renditions: Rendition[];
  total: number;
  succeeded: number;
  failed: number;
  canceled: number;
  bytes_in: number;
  bytes_out: number;
  catalog: string | null;
  dialect: Dialect | null;
  problems: CatalogProblem[] | null;
  problem_count: number;
  webhook_url: string | null;
  webhook_format: string;
  webhook_state: string | null;
  error_code: string | null;
  started_at: Date | null;
  finished_at: Date | null;
  expires_at: Date | null;
};

async function selectBatches(db: Queries, conditions: RawBuilder<boolean>[], limit: number): Promise<Batch[]> {
  const { rows } = await sql<BatchRow>`
    select b.*, d.state as webhook_state from batches b
    left join deliveries d on d.batch_id = b.id and d.generation = b.generation
    where ${sql.join([sql`b.chore is distinct from 'delete'`, ...conditions], sql` and `)}
    order by b.id desc
    limit ${limit}`.execute(db);
  return rows.map(batchFrom);
}

function batchFrom(row: BatchRow): Batch {
  const webhook = { url: row.webhook_url ?? '', format: row.webhook_format, state: row.webhook_state };
  return {
    id: row.id,
    name: row.name,
    surface: row.surface,
    owner: row.owner,
    state: row.state,
    generation: row.generation,
    lane: row.lane,
    renditions: row.renditions,
    counts: { total: row.total, succeeded: row.succeeded, failed: row.failed, canceled: row.canceled },
    bytes: { in: row.bytes_in, out: row.bytes_out },
    catalog: row.catalog,
    dialect: row.dialect,
    problems: row.problems ?? [],
    problemCount: row.problem_count,
    webhook: row.webhook_url === null ? null : webhook,
    errorCode: row.error_code,
    createdAt: timeOf(row.id),
    startedAt: row.started_at,
    finishedAt: row.finished_at,
    expiresAt: row.expires_at,
  };
}

/**
 * Failed images by cause, most frequent first, at most 100 groups. Counted within images_failed; the examples are the first
 * of each group there, because gathering a million ids to show five took a gigabyte.
 */
export async function failureGroups({ db }: Uses<'db'>, batchId: string): Promise<FailureGroup[]> {
  const failed = sql`from images where batch_id = ${batchId} and state = 'failed' and error_code = g.code`;
  const { rows } = await sql<{ code: string | null; host: string | null; count: number; examples: string[] }>`
    select g.*,
      array(select id::text ${failed} and error_host = g.host limit 5) ||
      array(select id::text ${failed} and error_host is null and g.host is null limit 5) as examples
    from (
      select error_code as code, error_host as host, count(*) as count
      from images where batch_id = ${batchId} and state = 'failed'
      group by 1, 2 order by 3 desc, 1, 2
      limit 100
    ) g
    order by count desc, code, host`.execute(db.query);
  return rows.map(({ code, host, count, examples }) => ({
    code: code ?? 'internal',
    host,
    count: Number(count),
    exampleImageIds: examples.toSorted(),
  }));
}

/** One sentence why a batch has no result at all; null when it has some. */
export async function failureSummary(app: Uses<'db'>, batch: Batch): Promise<string | null> {
  if (batch.state === 'canceled') return 'canceled';
  if (batch.state !== 'failed') return null;
  const { rows } = await sql<{ code: string | null; count: number }>`
    select error_code as code, count(*) as count from images where batch_id = ${batch.id} and state = 'failed'
    group by 1 order by 2 desc, 1`.execute(app.db.query);
  const causes = rows.map(({ code, count }) => `${count} x ${code ?? 'internal'}`).join(', ');
  return `All ${batch.counts.failed} images failed: ${causes}`;
}

export type Progress = {
  percent: number;
  imagesPerSecond: number | null;
  etaSeconds: number | null;
  /** The host for which an image of the batch waits longest. */
  slowestHost: string | null;
};

const rateWindowSeconds = 15;
/** Of all waiting images, those that wait longest: images_waiting is asked, never the batch walked. */
const farthestLooked = 1_000;

/** How far the batch is; rate from what its last seconds settled. */
export async function progressOf({ db }: Uses<'db'>, batch: Batch): Promise<Progress> {
  const { total, succeeded, failed, canceled } = batch.counts;
  const ended = succeeded + failed + canceled;
  const percent = total === 0 ? 100 : Math.floor((ended / total) * 1000) / 10;
  if (hasEnded(batch.state)) return { percent, imagesPerSecond: null, etaSeconds: null, slowestHost: null };
  const { rows } = await sql<{ settled: number; seconds: number | null; host: string | null }>`
    select
      (select coalesce(sum(length(outcomes)), 0) from events
        where batch_id = ${batch.id} and type = 'images.settled' and at > now() - ${rateWindowSeconds} * interval '1 s') as settled,
      (select extract(epoch from now() - started_at) from batches where id = ${batch.id}) as seconds,
      (select error_host from (
          select batch_id, error_host, run_at from images
          where state = 'queued' and run_at is not null order by run_at desc limit ${farthestLooked}
        ) w where batch_id = ${batch.id} and error_host is not null order by run_at desc limit 1) as host`.execute(
    db.query,
  );
  const [row] = rows;
  const seconds = Math.min(rateWindowSeconds, Math.max(1, Number(row?.seconds ?? 0)));
  const rate = Math.round((Number(row?.settled ?? 0) / seconds) * 10) / 10;
  const etaSeconds = rate > 0 ? Math.ceil((total - ended) / rate) : null;
  return { percent, imagesPerSecond: rate, etaSeconds, slowestHost: row?.host ?? null };
}

export type Workload = {
  waiting: number;
  running: number;
  oldestSeconds: number | null;
  workers: { alive: number; silent: number };
};

/** What is open in all: from the counters of open batches, so that asking costs the same under any backlog. */
export async function workload({ db }: Uses<'db'>): Promise<Workload> {
  const { rows } = await sql<{ open: number; running: number; oldest: number | null; alive: number; silent: number }>`
    select
      (select coalesce(sum(total - succeeded - failed - canceled), 0) from batches where state = any(${[...openStates]}::text[])) as open,
      (select count(*) from images where state = 'running') as running,
      (select extract(epoch from now() - min(created_at)) from batches where state = any(${[...openStates]}::text[])) as oldest,
      count(*) filter (where seen_at > now() - ${silentMs} * interval '1 ms') as alive,
      count(*) filter (where seen_at <= now() - ${silentMs} * interval '1 ms') as silent
    from workers`.execute(db.query);
  const row = rows[0] ?? { open: 0, running: 0, oldest: null, alive: 0, silent: 0 };
  return {
    waiting: Math.max(0, Number(row.open) - Number(row.running)),
    running: Number(row.running),
    oldestSeconds: row.oldest === null ? null : Math.round(Number(row.oldest)),
    workers: { alive: Number(row.alive), silent: Number(row.silent) },
  };
}
