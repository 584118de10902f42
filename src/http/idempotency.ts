// idempotency.ts — a POST that is sent twice is done once.
//
// The record is written in the transaction that makes the batch, so a crash leaves both or neither and a lost reply can
// be given again. Twins are told apart by what they mean (parsed fields, hashes of files), never by their bytes: a
// multipart boundary differs each time. Within this process the second of two running twins is put off; of two
// processes the unique index lets one win, and the other gives the winner's answer.

import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import type { Uses } from '../app.ts';
import type { Tx } from '../db/database.ts';
import { problem, problemSaying } from '../problem.ts';
import type { Answering, Ask } from './http.ts';
import { pathOf } from './paths.ts';

export type Answer = { status: number; headers: Record<string, string>; body: unknown };
/** To be called inside the transaction that does the work. */
export type Keep = (tx: Tx, answer: Answer, batchId: string | null) => Promise<void>;
export type Outcome = Answer & { replayed: boolean; batchId: string | null };

type Twin = { owner: string; method: string; route: string; key: string };
type Work = {
  /** What makes two requests the same: JSON with a fixed order, hashes instead of files. */
  meaning: unknown;
  run(keep: Keep): Promise<{ answer: Answer; batchId: string | null }>;
  /** Takes back what this request stored, when another one has already done the work. */
  undo(): Promise<void>;
};

const running = new Set<string>();
const aDayAgo = sql<Date>`now() - interval '24 hours'`;

/**
 * Holds the key of a request from before its body is read until `release`; without the header nothing is held. Throws
 * `idempotency_in_progress` while a twin runs in this process.
 */
export function holdKey(request: Ask, owner: string): { twin: Twin | undefined; release(): void } {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return { twin: undefined, release: () => {} };
  if (typeof key !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(key))
    throw problemSaying('malformed_body', 'An Idempotency-Key is 1 to 255 visible ASCII characters.');
  const twin = { owner, method: request.method, route: pathOf(request.raw.url), key };
  const name = JSON.stringify(twin);
  if (running.has(name)) throw problem('idempotency_in_progress', {}, { retryAfterMs: 1000 });
  running.add(name);
  return { twin, release: () => running.delete(name) };
}

/** Does the work of a request, or gives the answer of the twin that has done it. */
export async function doOnce(app: Uses<'db'>, twin: Twin | undefined, work: Work): Promise<Outcome> {
  if (!twin) return { ...(await finish(work.run(async () => {}))), replayed: false };
  const fingerprint = createHash('sha256').update(JSON.stringify(work.meaning)).digest();
  const done = await findDone(app, twin, fingerprint, work);
  if (done) return done;
  try {
    return { ...(await finish(work.run(keeper(twin, fingerprint)))), replayed: false };
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    const winner = await findDone(app, twin, fingerprint, work);
    if (!winner) throw error;
    return winner;
  }
}

/** Writes down the answer of work that has no transaction of its own to share. */
export async function keepAfterwards(
  app: Uses<'db'>,
  keep: Keep,
  answer: Answer,
  batchId: string | null,
): Promise<void> {
  await app.db.transaction((tx) => keep(tx, answer, batchId));
}

/** Sends an outcome, marked when it is a repetition. */
export function sendOutcome(reply: Answering, { status, headers, body, replayed }: Outcome): Answering {
  if (replayed) reply.header('idempotent-replayed', 'true');
  return reply.code(status).headers(headers).send(body);
}

async function finish(run: Promise<{ answer: Answer; batchId: string | null }>) {
  const { answer, batchId } = await run;
  return { ...answer, batchId };
}

function keeper(twin: Twin, fingerprint: Buffer): Keep {
  return async (tx, { status, headers, body }, batchId) => {
    // A record past its time makes room for a new one under the same key.
    await tx
      .deleteFrom('idempotency_keys')
      .where((eb) => eb.and(twin))
      .where('created_at', '<', aDayAgo)
      .execute();
    await tx
      .insertInto('idempotency_keys')
      .values({
        ...twin,
        fingerprint,
        batch_id: batchId,
        status,
        headers: JSON.stringify(headers),
        body: JSON.stringify(body),
      })
      .execute();
  };
}

async function findDone(app: Uses<'db'>, twin: Twin, fingerprint: Buffer, work: Work): Promise<Outcome | undefined> {
  const row = await app.db.query
    .selectFrom('idempotency_keys')
    .select(['fingerprint', 'status', 'headers', 'body', 'batch_id'])
    .where((eb) => eb.and(twin))
    .where('created_at', '>=', aDayAgo)
    .executeTakeFirst();
  if (!row) return undefined;
  await work.undo();
  if (!fingerprint.equals(row.fingerprint)) throw problem('idempotency_mismatch');
  const headers = (row.headers ?? {}) as Record<string, string>;
  return {
    status: row.status,
    headers,
    body: JSON.parse(row.body ?? 'null'),
    batchId: row.batch_id,
    replayed: true,
  };
}

const isDuplicate = (error: unknown): boolean => (Object(error) as { code?: unknown }).code === '23505';
