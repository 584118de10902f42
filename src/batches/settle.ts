// settle.ts — writes down how images ended.
//
// Takes results in bundles, because one statement per image cost more than the queue itself. Every write is fenced by
// (id, worker, attempts): a worker that was thought dead may come back, and its result must then be void. The settle that
// ends the last image of a batch closes it in the same transaction; nobody else may do that.

import { sql } from 'kysely';
import type { Uses } from '../app.ts';
import type { Tx } from '../db/database.ts';
import { cancelPutBack } from './cancel.ts';
import { hotTimeoutMs } from './claim.ts';
import { recordEnds, type Ended } from './end.ts';
import type { TimingName } from './model.ts';

export type StoredRendition = {
  name: string;
  /** In `files`: written by this attempt (`fresh`), or taken over from an image with the same source and recipe. */
  file: string;
  fresh: boolean;
  mediaType: string;
  bytes: number;
  sha256: Buffer;
  workKey: string;
  width: number;
  height: number;
  details: {
    quality: number | null;
    /** Where a quality was searched: how alike the result looks, and how many tries it took. */
    score?: number;
    encodes?: number | undefined;
    keptOriginal: boolean;
    warnings: string[];
  };
};

export type SourceFacts = { sha256: Buffer; mediaType: string; bytes: number; width: number; height: number };

export type Outcome =
  | {
      kind: 'succeeded';
      source: SourceFacts;
      renditions: StoredRendition[];
      warnings: string[];
      timings: Record<TimingName, number>;
    }
  | { kind: 'failed'; code: string; host?: string; httpStatus?: number }
  /** Transient: again after `waitMs` while tries are left, else failed. */
  | { kind: 'retry'; code: string; host?: string; httpStatus?: number; waitMs: number }
  /** A fault of our own house, or a stop: the attempt is given back. */
  | { kind: 'release' }
  /** The host asked for a pause: the attempt is given back, up to a bound. */
  | { kind: 'park'; waitMs: number; host?: string };

export type Settled = { id: string; attempt: number; startedAt: Date; outcome: Outcome };

/** How often an image may be parked before a park counts as a try. */
const mostParks = 150;
/** How often an image may be started at all: the fence is a small number, and beyond its end nothing could be claimed. */
const mostStarts = 10_000;
const keptAttempts = 10;

/**
 * Settles the bundle for `worker`; returns the ids that were really settled. An id that is missing was settled before, or
 * belongs to somebody else by now, or was deleted: its fresh files are nobody's (see `orphansOf`).
 */
export async function settleImages({ db }: Uses<'db'>, worker: string, settled: Settled[]): Promise<Set<string>> {
  return db.transaction(
    async (tx) => {
      const held = await holdSharedFiles(tx, settled);
      const rows = await writeImages(
        tx,
        worker,
        settled.map((each) => withoutLostFiles(each, held)),
      );
      const byId = new Map(settled.map((each) => [each.id, each]));
      const ended: Ended[] = [];
      for (const { id, batch_id, state } of rows) {
        if (state === 'queued') continue;
        const outcome = byId.get(id)?.outcome;
        const result = state === 'succeeded' && outcome?.kind === 'succeeded' ? outcome : undefined;
        const bytesOut = result?.renditions.reduce((sum, rendition) => sum + rendition.bytes, 0) ?? 0;
        ended.push({ id, batchId: batch_id, state, bytesIn: result?.source.bytes ?? 0, bytesOut });
      }
      await writeRenditions(tx, ended, byId);
      await recordEnds(tx, [...ended, ...(await cancelPutBack(tx, rows))]);
      return new Set(rows.map((row) => row.id));
    },
    { timeoutMs: hotTimeoutMs },
  );
}

/** Keeps files of other images from being swept until this commit; returns those that still exist. */
async function holdSharedFiles(tx: Tx, settled: Settled[]): Promise<Set<string>> {
  const names = settled.flatMap(({ outcome }) =>
    outcome.kind === 'succeeded' ? outcome.renditions.filter((each) => !each.fresh).map((each) => each.file) : [],
  );
  if (names.length === 0) return new Set();
  // Images before files: a deletion by hand holds its images while it waits for the sweep, and the sweep waits for files.
  const ids = settled.map((each) => each.id);
  await sql`select id from images where id = any(${ids}::uuid[]) order by id for update`.execute(tx);
  const { rows } = await sql<{ name: string }>`
    select name from files where name = any(${names}::text[]) and gone_at is null order by name for key share`.execute(
    tx,
  );
  return new Set(rows.map((row) => row.name));
}

/** A result that leans on a file which was swept meanwhile is no result: the image is worked on as usual. */
function withoutLostFiles(each: Settled, held: Set<string>): Settled {
  if (each.outcome.kind !== 'succeeded') return each;
  const whole = each.outcome.renditions.every((rendition) => rendition.fresh || held.has(rendition.file));
  return whole ? each : { ...each, outcome: { kind: 'release' } };
}

type SettledRow = { id: string; batch_id: string; state: 'succeeded' | 'failed' | 'queued' };

async function writeImages(tx: Tx, worker: string, settled: Settled[]): Promise<SettledRow[]> {
  const input = JSON.stringify(settled.map((each) => inputRow(each, worker)));
  const { rows } = await sql<SettledRow>`
    with r as (
      select * from jsonb_to_recordset(${input}::jsonb) as r(id uuid, attempt int, kind text, code text, host text, status int,
        wait_ms float8, sha256 text, type text, bytes int, width int, height int, warnings text[], timings int[], story jsonb)
    ), locked as (
      select i.id from images i join r on r.id = i.id and r.attempt = i.attempts
      where i.worker = ${worker} and i.state = 'running'
      order by i.id
      for update of i
    ), decided as (
      select r.*, case
        when r.kind = 'release' and i.attempts >= ${mostStarts} then 'failed'
        when r.kind = 'park' and i.parks >= ${mostParks} and i.attempts_left <= 0 then 'failed'
        when r.kind = 'park' and i.parks >= ${mostParks} then 'retry'
        when r.kind = 'retry' and i.attempts_left <= 0 then 'failed'
        else r.kind end as done
      from r join locked using (id) join images i using (id)
    )
    update images i set
      state = case when d.done in ('succeeded', 'failed') then d.done else 'queued' end,
      attempts_left = i.attempts_left + case when d.done in ('release', 'park') then 1 else 0 end,
      parks = i.parks + case when d.done = 'park' then 1 else 0 end,
      run_at = case when d.done in ('retry', 'park') and d.wait_ms > 0 then now() + d.wait_ms * interval '1 ms' end,
      worker = case when d.done in ('succeeded', 'failed') then i.worker end,
      finished_at = case when d.done in ('succeeded', 'failed') then now() end,
      error_code = case
        when d.kind = 'release' and d.done = 'failed' then 'internal'
        when d.kind = 'park' and d.done <> 'park' then 'rate_limited'
        else d.code end,
      error_host = d.host, error_status = d.status,
      source_sha256 = coalesce(decode(d.sha256, 'hex'), i.source_sha256), source_type = coalesce(d.type, i.source_type),
      source_bytes = coalesce(d.bytes, i.source_bytes), source_width = coalesce(d.width, i.source_width),
      source_height = coalesce(d.height, i.source_height), warnings = d.warnings, timings = coalesce(d.timings, i.timings),
      history = case
        when d.story is null or (i.history is null and d.done = 'succeeded') then i.history
        when jsonb_array_length(coalesce(i.history, '[]')) >= ${keptAttempts} then (i.history - 0) || d.story
        else coalesce(i.history, '[]') || d.story end
    from decided d where i.id = d.id
    returning i.id, i.batch_id, i.state`.execute(tx);
  return rows;
}

function inputRow({ id, attempt, startedAt, outcome }: Settled, worker: string) {
  const fault = outcome.kind === 'failed' || outcome.kind === 'retry' ? outcome : undefined;
  const result = outcome.kind === 'succeeded' ? outcome : undefined;
  const told = fault !== undefined || result !== undefined;
  const error = fault ? { code: fault.code, host: fault.host, httpStatus: fault.httpStatus } : null;
  const story = { attempt, worker, startedAt, finishedAt: new Date(), outcome: outcome.kind, error };
  return {
    id,
    attempt,
    kind: outcome.kind,
    code: fault?.code ?? null,
    host: 'host' in outcome ? (outcome.host ?? null) : null,
    status: fault?.httpStatus ?? null,
    wait_ms: 'waitMs' in outcome ? Math.round(outcome.waitMs) : 0,
    sha256: result?.source.sha256.toString('hex') ?? null,
    type: result?.source.mediaType ?? null,
    bytes: result?.source.bytes ?? null,
    width: result?.source.width ?? null,
    height: result?.source.height ?? null,
    warnings: result && result.warnings.length > 0 ? result.warnings : null,
    timings: result ? Object.values(result.timings).map(wholeMs) : null,
    story: told ? story : null,
  };
}

/** The column holds 24 days; an image that is retried next month has waited for longer. */
function wholeMs(ms: number): number {
  return Math.min(2 ** 31 - 1, Math.round(ms));
}

async function writeRenditions(tx: Tx, ended: Ended[], byId: Map<string, Settled>): Promise<void> {
  const rows = ended.flatMap(({ id, state }) => {
    const outcome = byId.get(id)?.outcome;
    if (state !== 'succeeded' || outcome?.kind !== 'succeeded') return [];
    return outcome.renditions.map((each) => ({
      image_id: id,
      name: each.name,
      file: each.file,
      fresh: each.fresh,
      media_type: each.mediaType,
      bytes: each.bytes,
      sha256: each.sha256.toString('hex'),
      work_key: each.workKey,
      width: each.width,
      height: each.height,
      details: each.details,
    }));
  });
  if (rows.length === 0) return;
  await sql`
    with r as (
      select * from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as r(image_id uuid, name text, file text, fresh boolean,
        media_type text, bytes bigint, sha256 text, work_key uuid, width int, height int, details jsonb)
    ), f as (
      insert into files (name, kind, media_type, bytes, sha256)
      select distinct on (file) file, 'result', media_type, bytes, decode(sha256, 'hex') from r where fresh
      on conflict (name) do nothing
    )
    insert into renditions (image_id, name, file, work_key, width, height, details)
    select image_id, name, file, work_key, width, height, details from r
    on conflict (image_id, name) do update set
      file = excluded.file, work_key = excluded.work_key, width = excluded.width, height = excluded.height, details = excluded.details`.execute(
    tx,
  );
}

/** Of the fresh files of results that were not settled, those that no row knows: their objects may be removed. */
export async function orphansOf({ db }: Uses<'db'>, names: string[]): Promise<string[]> {
  if (names.length === 0) return [];
  const known = await db.query.selectFrom('files').select('name').where('name', 'in', names).execute();
  const kept = new Set(known.map((row) => row.name));
  return names.filter((name) => !kept.has(name));
}
