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
  return sql<Standing>`
    select base, step, ahead, ahead / greatest(step, 1) as among from (
      select l.base, count(o.id) * (count(o.id) + 1) as step, greatest(max(o.turn) - l.base, 0) as ahead
      from (
        select b.id, b.lane, b.owner, s.start, greatest(b.turn, s.start) as base
        from batches b cross join lateral (select ${laneStart} as start) s
        where b.id = ${batchId}
      ) l
      left join batches o on o.lane = l.lane and o.owner = l.owner and o.owner <> '' and o.id <> l.id
        and o.state in ('expanding', 'queued', 'running') and o.turn > l.start
      group by l.base
    ) key`;
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
