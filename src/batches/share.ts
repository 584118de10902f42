// share.ts — where the rows of a batch stand in their lane, so that batches take turns and keys have about equal shares.
//
// A row's turn is given once, when it is inserted: claims then simply take the smallest. A batch begins where the lane is,
// never at its end, and goes on one turn a row. Further batches of a key (owner) would each get a share of their own, so as
// long as rows of its others wait, the rows of its m-th batch stand m(m - 1) turns apart: 2, 6, 12, … Behind them it goes on
// one turn a row. As 1/2 + 1/6 + 1/12 + … < 1, a key with any number of batches has one share at least and never two, and
// rows that stand already need not move. Without keys every batch has a share of its own.

import { sql, type RawBuilder } from 'kysely';

/**
 * `base`: the turn behind which the batch's next rows stand. `ahead`: for how many turns from there rows of the key's other
 * batches wait. `step`: the distance of its own rows among those. `among`: how many of its own stand there.
 */
export type Standing = { base: number; ahead: number; step: number; among: number };

/** A query for the one {@link Standing} of the batch; it reads the key's open batches by batches_open. */
export function standing(batchId: string): RawBuilder<Standing> {
  // Materialized: written into its users, the lane's start would be looked up once for each open batch of the key. Lateral:
  // where there are no keys, the open batches are not read at all; in a join they are, and thousands may be open.
  return sql<Standing>`
    with l as materialized (
      select b.id, b.lane, b.owner, b.turn, ${laneStart} as start from batches b where b.id = ${batchId}
    ), key as (
      select greatest(l.turn, l.start) as base, o.last, o.others
      from l cross join lateral (
        select max(o.turn) as last, count(*) as others from batches o
        where l.owner <> '' and o.lane = l.lane and o.owner = l.owner and o.id <> l.id
          and o.state in ('expanding', 'queued', 'running') and o.turn > l.start
      ) o
    ), apart as (
      select base, greatest(last - base, 0) as ahead, others * (others + 1) as step from key
    )
    select base, ahead, step, ahead / greatest(step, 1) as among from apart`;
}

/** The turn of the n-th further row, from the columns of a {@link Standing}. */
export function turnOf(n: RawBuilder<number>): RawBuilder<number> {
  return sql<number>`base + case when ${n} <= among then ${n} * step else ahead + ${n} - among end`;
}

/**
 * One below the smallest turn that waits in the lane of batch `b`. A lane in which nothing waits does not begin again at
 * zero: batches whose last rows are still at work would otherwise seem to be far ahead.
 */
const laneStart = sql`coalesce(
  (select turn - 1 from images where state = 'queued' and run_at is null and lane = b.lane order by turn limit 1),
  (select max(turn) from batches where lane = b.lane and state in ('expanding', 'queued', 'running')),
  0)`;
