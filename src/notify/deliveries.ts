// deliveries.ts — shows deliveries to their owners, and sends one again when somebody asks.
//
// An owner of undefined sees all: nobody has keys yet, or an admin asks. A foreign row looks like a missing one.

import { sql } from 'kysely';
import type { Uses } from '../app.ts';
import type { Database } from '../db/database.ts';
import { tellDeliveries } from './events.ts';
import type { Delivery, DeliveryState, DeliveryTry } from './notify.ts';

export type DeliveryFilter = {
  owner?: string | undefined;
  batchId?: string | undefined;
  state?: DeliveryState | undefined;
  /** Id of the last delivery of the page before. */
  before?: string | undefined;
  limit: number;
};

/** Newest first: ids are UUIDv7. */
export async function listDeliveries(app: Uses<'db'>, filter: DeliveryFilter): Promise<Delivery[]> {
  const { owner, batchId, state, before, limit } = filter;
  const rows = await selectDeliveries(app.db)
    .$if(owner !== undefined, (q) => q.where('d.owner', '=', owner ?? ''))
    .$if(batchId !== undefined, (q) => q.where('d.batch_id', '=', batchId ?? ''))
    .$if(state !== undefined, (q) => q.where('d.state', '=', state ?? 'queued'))
    .$if(before !== undefined, (q) => q.where('d.id', '<', before ?? ''))
    .orderBy('d.id', 'desc')
    .limit(limit)
    .execute();
  return rows.map(viewOf);
}

export async function findDelivery(app: Uses<'db'>, id: string, owner?: string): Promise<Delivery | undefined> {
  const row = await selectDeliveries(app.db)
    .where('d.id', '=', id)
    .$if(owner !== undefined, (q) => q.where('d.owner', '=', owner ?? ''))
    .executeTakeFirst();
  return row && viewOf(row);
}

/**
 * Sends a delivery again, at once and with the whole schedule before it, under the same `webhook-id`; one that waits is
 * tried now, one on its way is left alone. A URL that was given up is open again: whoever asks believes that it works.
 */
export async function redeliver(db: Database, id: string, owner?: string): Promise<Delivery | undefined> {
  await db.transaction(async (tx) => {
    // Tries start over although they are half of the fence: the other half, the worker's id, is never given twice.
    const { rows } = await sql<{ owner: string; url: string }>`
      update deliveries
      set state = 'queued', worker = null, run_at = now(), finished_at = null,
          attempts = case when state = 'queued' then attempts else 0 end
      where id = ${id} and state <> 'sending' and (${owner ?? null}::text is null or owner = ${owner ?? null})
      returning owner, url`.execute(tx);
    if (rows.length > 0) await tellDeliveries(tx);
    for (const row of rows)
      await tx.deleteFrom('receivers').where('owner', '=', row.owner).where('url', '=', row.url).execute();
  });
  return findDelivery({ db }, id, owner);
}

const selectDeliveries = (db: Database) =>
  db.query
    .selectFrom('deliveries as d')
    .leftJoin('receivers as r', (join) => join.onRef('r.owner', '=', 'd.owner').onRef('r.url', '=', 'd.url'))
    .selectAll('d')
    .select('r.disabled_at');

type Row = Awaited<ReturnType<ReturnType<typeof selectDeliveries>['execute']>>[number];

function viewOf(row: Row): Delivery {
  return {
    id: row.id,
    batchId: row.batch_id,
    generation: row.generation,
    owner: row.owner,
    url: row.url,
    format: row.format,
    state: row.state,
    attempts: row.attempts,
    // Written by claim.ts alone.
    tries: row.log as DeliveryTry[],
    nextAttemptAt: row.state === 'queued' ? row.run_at : null,
    createdAt: row.created_at,
    finishedAt: row.finished_at,
    receiverDisabledAt: row.disabled_at,
  };
}
