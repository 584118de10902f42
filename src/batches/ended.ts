// ended.ts — how many batches have ended since somebody last asked, by surface and state: read from the events, so that
// the transactions which end batches count nothing.

import { sql } from 'kysely';
import type { Uses } from '../app.ts';

export type EndedBatches = { upTo: number; ended: { surface: string; state: string; count: number }[] };

/** What ended behind the event `after`; undefined begins now. */
export async function endedBatches({ db }: Uses<'db'>, after: number | undefined): Promise<EndedBatches> {
  const { rows: heads } = await sql<{ head: number }>`select coalesce(max(seq), 0) as head from events`.execute(
    db.query,
  );
  const upTo = Number(heads[0]?.head ?? 0);
  if (after === undefined || upTo <= after) return { upTo, ended: [] };
  const { rows } = await sql<{ surface: string; state: string; count: number }>`
    select b.surface, b.state, count(*) as count
    from events e join batches b on b.id = e.batch_id
    where e.seq > ${after} and e.seq <= ${upTo} and e.type = 'batch.finished'
    group by 1, 2`.execute(db.query);
  return { upTo, ended: rows.map((row) => ({ ...row, count: Number(row.count) })) };
}
