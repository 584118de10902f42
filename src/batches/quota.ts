// quota.ts — how much one owner of keys may have open and stored, so that nobody takes the house from the others.
//
// Judged inside the transaction that makes the batch, behind a lock of the owner: a hundred requests at once pass no more
// than one after the other would. The house itself (no owner) has no quota. What is stored is told by the counters of
// batches: results count while they are kept, and sources where they were uploaded.

import { sql } from 'kysely';
import type { Uses } from '../app.ts';
import type { Tx } from '../db/database.ts';
import { problem } from '../problem.ts';

const retryAfterMs = 60_000;

/** Throws `quota_exceeded`, naming which, when one more batch of `images` would be too much for its owner. */
export async function judgeQuota(
  tx: Tx,
  { config }: Uses<'config'>,
  { owner, images }: { owner: string; images: number },
): Promise<void> {
  if (owner === '') return;
  await sql`select pg_advisory_xact_lock(hashtext('quota'), hashtext(${owner}))`.execute(tx);
  const { batches, open } = await openWork(tx, owner);
  if (batches + 1 > config.maxBatches) throw exceeded(`of ${config.maxBatches} open batches (DARKROOM_MAX_BATCHES)`);
  if (open + images > config.maxQueued) throw exceeded(`of ${config.maxQueued} open images (DARKROOM_MAX_QUEUED)`);
  if ((await storedBytes(tx, owner)) >= config.maxStored)
    throw exceeded(`of ${config.maxStored} stored bytes (DARKROOM_MAX_STORED)`);
}

/** Uses batches_open: as many rows as there are open batches. */
async function openWork(tx: Tx, owner: string): Promise<{ batches: number; open: number }> {
  const { rows } = await sql<{ batches: number; open: number }>`
    select count(*) as batches, coalesce(sum(total - succeeded - failed - canceled), 0) as open from batches
    where owner = ${owner} and state in ('expanding', 'queued', 'running') and chore is distinct from 'delete'`.execute(
    tx,
  );
  return { batches: Number(rows[0]?.batches ?? 0), open: Number(rows[0]?.open ?? 0) };
}

/** Uses batches_owner; of each batch one image tells whether its sources lie here. */
async function storedBytes(tx: Tx, owner: string): Promise<number> {
  const { rows } = await sql<{ bytes: number }>`
    select coalesce(sum(b.bytes_out + case when i.source_file is null then 0 else b.bytes_in end), 0) as bytes
    from batches b
    left join lateral (select source_file from images where batch_id = b.id order by position limit 1) i on true
    where b.owner = ${owner} and b.expires_at is null and b.bytes_in + b.bytes_out > 0`.execute(tx);
  return Number(rows[0]?.bytes ?? 0);
}

const exceeded = (quota: string) => problem('quota_exceeded', { quota }, { retryAfterMs });
