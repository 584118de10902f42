// claim.ts — takes waiting images for a worker.
//
// The row is the queue entry: `for update skip locked` hands each to one worker, starting it raises `attempts`, and from
// then on only the holder of (id, worker, attempts) may settle it. Served by the partial index images_ready.

import { sql } from 'kysely';
import type { Uses } from '../app.ts';
import type { Queries, Tx } from '../db/database.ts';
import type { Lane } from '../queue/queue.ts';
import { timeOf } from './ids.ts';
import type { Attempt, Rendition } from './model.ts';

export type Claimed = {
  id: string;
  batchId: string;
  attempt: number;
  attemptsLeft: number;
  lane: Lane;
  turn: number;
  parks: number;
  name: string | null;
  source: { url: string } | { upload: string } | 'gone';
  renditions: Rendition[];
  owner: string;
  hop: number;
  /** Images of its batch. */
  among: number;
  startedAt: Date;
  waitedMs: number;
  history: Attempt[] | null;
};

type Row = {
  id: string;
  batch_id: string;
  attempts: number;
  attempts_left: number;
  lane: Lane;
  turn: number;
  parks: number;
  name: string | null;
  source_url: string | null;
  source_file: string | null;
  renditions: Rendition[] | null;
  started_at: Date;
  history: Attempt[] | null;
};

/** A claim, settle or heartbeat without an answer for so long sits on a half-open socket. */
export const hotTimeoutMs = 12_000;

/** Batches that a worker has started: what their images need to know of them never changes. */
export type KnownBatches = Map<string, BatchPart>;
const mostKnown = 200;

export type ClaimOptions = { worker: string; lanes: [Lane, Lane]; limit: number; known?: KnownBatches };

/** Takes up to `limit` due images of the lanes, in lane and turn order. */
export async function claimImages(
  { db }: Uses<'db'>,
  { worker, lanes: [from, to], limit, known = new Map() }: ClaimOptions,
): Promise<Claimed[]> {
  const rows = await db.within(hotTimeoutMs, (query) => takeRows(query, { worker, from, to, limit }));
  return claimedRows({ db }, rows, known);
}

/**
 * Starts the images of tickets. An image that is not waiting any more has been started by another ticket, canceled or
 * deleted; one that waits for its next try must not be started by an old ticket before its time.
 */
export async function startImages(
  { db }: Uses<'db'>,
  { worker, ids, known }: { worker: string; ids: string[]; known: KnownBatches },
): Promise<Claimed[]> {
  const { rows } = await db.within(hotTimeoutMs, (query) =>
    sql<Row>`
      with c as (
        select id from images
        where id = any(${ids}::uuid[]) and state in ('queued', 'dispatched') and run_at is null
        order by id
        for update
      )
      update images i set
        state = 'running', attempts = attempts + 1, attempts_left = attempts_left - 1, worker = ${worker}, started_at = now()
      from c where i.id = c.id
      returning i.id, i.batch_id, i.attempts, i.attempts_left, i.lane, i.turn, i.parks, i.name, i.source_url, i.source_file,
        i.renditions, i.started_at, i.history`.execute(query),
  );
  return claimedRows({ db }, rows, known);
}

async function claimedRows({ db }: Uses<'db'>, rows: Row[], known: KnownBatches): Promise<Claimed[]> {
  const strange = new Set(rows.map((row) => row.batch_id).filter((id) => !known.has(id)));
  // A worker that dies in between leaves running images of a batch that has not started: whoever claims them next starts it.
  const started =
    strange.size > 0 ? await db.transaction((tx) => startBatches(tx, [...strange]), { timeoutMs: hotTimeoutMs }) : [];
  for (const batch of started) known.set(batch.id, batch);
  // RETURNING does not keep the order of the claim.
  const claimed = rows
    .toSorted((a, b) => a.lane - b.lane || a.turn - b.turn)
    .flatMap((row) => {
      const batch = known.get(row.batch_id);
      return batch ? [claimedFrom(row, batch)] : [];
    });
  // Forgotten only now: this claim may hold images of batches that were known before.
  if (known.size > mostKnown) known.clear();
  return claimed;
}

/** One statement is its own transaction: a claim costs one round trip. */
async function takeRows(
  query: Queries,
  { worker, from, to, limit }: { worker: string; from: Lane; to: Lane; limit: number },
): Promise<Row[]> {
  const { rows } = await sql<Row>`
    with c as (
      select id from images
      where state = 'queued' and run_at is null and lane between ${from} and ${to}
      order by lane, turn, id
      limit ${limit}
      for update skip locked
    )
    update images i set
      state = 'running', attempts = attempts + 1, attempts_left = attempts_left - 1, worker = ${worker}, started_at = now()
    from c where i.id = c.id
    returning i.id, i.batch_id, i.attempts, i.attempts_left, i.lane, i.turn, i.parks, i.name, i.source_url, i.source_file,
      i.renditions, i.started_at, i.history`.execute(query);
  return rows;
}

type BatchPart = { id: string; renditions: Rendition[]; owner: string; hop: number; total: number; state: string };

/** Reads batches and marks them as started, the first time. Locked in id order, after the images. */
async function startBatches(tx: Tx, ids: string[]): Promise<BatchPart[]> {
  const { rows } = await sql<BatchPart>`
    select id, renditions, owner, hop, total, state from batches where id = any(${ids}::uuid[]) order by id`.execute(
    tx,
  );
  const fresh = rows.filter((row) => row.state === 'queued' || row.state === 'expanding').map((row) => row.id);
  if (fresh.length > 0) {
    await sql`
      with l as (
        select id from batches where id = any(${fresh}::uuid[]) and (state = 'queued' or (state = 'expanding' and started_at is null))
        order by id for update
      )
      update batches b set
        state = case b.state when 'queued' then 'running' else b.state end, started_at = coalesce(b.started_at, now())
      from l where b.id = l.id`.execute(tx);
  }
  return rows;
}

function claimedFrom(row: Row, batch: BatchPart): Claimed {
  const { source_url: url, source_file: upload } = row;
  return {
    id: row.id,
    batchId: row.batch_id,
    attempt: row.attempts,
    attemptsLeft: row.attempts_left,
    lane: row.lane,
    turn: row.turn,
    parks: row.parks,
    name: row.name,
    source: upload !== null ? { upload } : url !== null ? { url } : 'gone',
    renditions: row.renditions ?? batch.renditions,
    owner: batch.owner,
    hop: batch.hop,
    among: batch.total,
    startedAt: row.started_at,
    waitedMs: Math.max(0, row.started_at.getTime() - timeOf(row.id).getTime()),
    history: row.history,
  };
}
