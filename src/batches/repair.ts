// repair.ts — an operator's look at failures over all batches, and one order to try them again.
//
// Only the newest batches with failures are looked at, a thousand of them: enough for any incident, and bounded. Each is
// retried by the same verb as alone, so one that runs again in the meantime is simply passed over.

import { sql, type RawBuilder } from 'kysely';
import type { Uses } from '../app.ts';
import { Problem } from '../problem.ts';
import { retryBatch } from './change.ts';
import type { FailureGroup } from './model.ts';

const mostBatches = 1_000;
const mostGroups = 100;

export type FailureFilter = { codes?: string[]; hosts?: string[]; since?: Date };

/** Failed images of all batches by cause, most frequent first, at most 100 groups. Counted within images_failed. */
export async function failuresOfAll(
  { db }: Uses<'db'>,
  filter: FailureFilter,
): Promise<(FailureGroup & { batches: number })[]> {
  const { rows } = await sql<{ code: string; host: string | null; count: number; batches: number; examples: string[] }>`
    with b as (${troubledBatches(filter)}),
    g as (
      select i.error_code as code, i.error_host as host, count(*) as count, count(distinct i.batch_id) as batches,
        max(i.batch_id::text)::uuid as newest
      from b join images i on i.batch_id = b.id and i.state = 'failed'
      group by 1, 2 order by 3 desc, 1, 2 limit ${mostGroups})
    select coalesce(code, 'internal') as code, host, count, batches,
      array(select e.id::text from images e where e.batch_id = g.newest and e.state = 'failed'
        and e.error_code is not distinct from g.code and e.error_host is not distinct from g.host limit 5) as examples
    from g order by count desc, code, host`.execute(db.query);
  return rows.map(({ code, host, count, batches, examples }) => ({
    code,
    host,
    count: Number(count),
    batches: Number(batches),
    exampleImageIds: examples.toSorted(),
  }));
}

/** Tries failed images of ended batches again; returns how many, in how many batches. None is no fault here. */
export async function retryAll(
  app: Uses<'db'>,
  filter: FailureFilter,
  signal: AbortSignal,
): Promise<{ retried: number; batches: number }> {
  // Named codes keep what was canceled out: a retry without any would take it along.
  const codes = filter.codes ?? (filter.hosts ? undefined : await failedCodes(app, filter));
  const { rows } = await sql<{ id: string }>`${troubledBatches(filter)}`.execute(app.db.query);
  const done = { retried: 0, batches: 0 };
  for (const { id } of rows) {
    if (signal.aborted) break;
    const retried = await retryOne(app, id, { ...(codes && { codes }), ...(filter.hosts && { hosts: filter.hosts }) });
    done.retried += retried;
    if (retried > 0) done.batches += 1;
  }
  return done;
}

async function retryOne(app: Uses<'db'>, id: string, filter: { codes?: string[]; hosts?: string[] }): Promise<number> {
  try {
    return (await retryBatch(app, id, filter)).retried;
  } catch (error) {
    if (error instanceof Problem && ['nothing_to_retry', 'batch_running', 'not_found'].includes(error.code)) return 0;
    throw error;
  }
}

async function failedCodes({ db }: Uses<'db'>, filter: FailureFilter): Promise<string[]> {
  const { rows } = await sql<{ code: string }>`
    with b as (${troubledBatches(filter)})
    select distinct i.error_code as code from b join images i on i.batch_id = b.id and i.state = 'failed'
    where i.error_code is not null`.execute(db.query);
  return rows.map(({ code }) => code);
}

/** The newest batches that hold failures. `since`: those that were made then or later. */
function troubledBatches({ since }: FailureFilter): RawBuilder<{ id: string }> {
  const young = since ? sql`and created_at >= ${since}` : sql``;
  return sql`
    select id from batches where failed > 0 and chore is distinct from 'delete' ${young}
    order by id desc limit ${mostBatches}`;
}
