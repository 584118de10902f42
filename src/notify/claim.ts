// claim.ts — takes deliveries that are due, and writes down how each try ended.
//
// The same claim and the same fence as for images: `skip locked` gives a row to one worker, and what a worker writes
// counts only while the row is still its own try (id, worker, attempts). Due times use the database's clock, and so
// does the time that is signed: a worker whose clock is wrong would otherwise be refused by every receiver.

import { sql, type RawBuilder } from 'kysely';
import type { Database, Tx } from '../db/database.ts';
import type { DeliveryTry } from './notify.ts';
import type { Verdict } from './schedule.ts';

export type Claimed = {
  id: string;
  batch_id: string;
  generation: number;
  owner: string;
  url: string;
  host: string;
  format: string;
  body: string | null;
  attempts: number;
  worker: string;
  log: DeliveryTry[];
  /** How many of our own webhooks led to the batch. */
  hop: number;
  /** True when nothing is to be sent to this URL any more. */
  disabled: boolean;
  claimed_at: Date;
};

const mostTriesKept = 20;

/**
 * Claims up to `limit` due deliveries, counting what is already being sent: at most `perHost` of one host at a time.
 * Hosts that have their share are left out before the window is cut, so a thousand calls waiting for a slow receiver
 * cannot hide the one for its neighbour. Uses deliveries_due.
 */
export async function claimDeliveries(
  db: Database,
  options: { worker: string; limit: number; perHost: number; busy: ReadonlyMap<string, number> },
): Promise<Claimed[]> {
  const { worker, limit, perHost, busy } = options;
  const full = [...busy].filter(([, count]) => count >= perHost).map(([host]) => host);
  const { rows } = await sql<Claimed>`
    with due as (
      select id, host, run_at from deliveries
      where state = 'queued' and run_at <= now() and host <> all(${full}::text[])
      order by run_at limit 500),
    ranked as (
      select due.id, due.run_at,
             row_number() over (partition by due.host order by due.run_at, due.id) + coalesce(busy.count, 0) as place
      from due left join unnest(${[...busy.keys()]}::text[], ${[...busy.values()]}::int[]) as busy (host, count)
        on busy.host = due.host),
    chosen as (
      select id from ranked where place <= ${perHost} order by run_at, id limit ${limit}),
    taken as (
      -- Asked once more: between the window and the lock another worker may have taken and finished it.
      select id from deliveries
      where id in (select id from chosen) and state = 'queued' and run_at <= now()
      order by id for update skip locked)
    update deliveries d set state = 'sending', worker = ${worker}, attempts = d.attempts + 1
    from taken, batches b
    where d.id = taken.id and b.id = d.batch_id
    returning d.id, d.batch_id, d.generation, d.owner, d.url, d.host, d.format, d.body, d.attempts, d.worker, d.log, b.hop,
      now() as claimed_at,
      exists (select from receivers r where r.owner = d.owner and r.url = d.url and r.disabled_at is not null) as disabled
  `.execute(db.query);
  return rows;
}

/** Keeps the body of the first try: every later one repeats it to the byte, whatever the batch has become. */
export async function freezeBody(db: Database, claimed: Claimed, body: string): Promise<void> {
  await sql`update deliveries set body = ${body} where ${stillOurs(claimed)}`.execute(db.query);
}

/** Writes down the end of one try. False: the row was no longer ours, and the result is void. */
export async function settleDelivery(
  db: Database,
  claimed: Claimed,
  outcome: { verdict: Verdict; entry: DeliveryTry },
): Promise<boolean> {
  const { verdict, entry } = outcome;
  const log = JSON.stringify([...claimed.log, storable(entry)].slice(-mostTriesKept));
  const next = verdict.state === 'queued' ? verdict.waitMs : null;
  return db.transaction(async (tx) => {
    const { rows } = await sql`
      update deliveries
      set state = ${verdict.state}, worker = null, log = ${log}::jsonb,
          run_at = case when ${next}::float8 is null then run_at else ${fromNow(next ?? 0)} end,
          finished_at = case when ${next}::float8 is null then now() end
      where ${stillOurs(claimed)} returning id`.execute(tx);
    if (rows.length === 0) return false;
    await noteReceiver(tx, claimed, verdict);
    return true;
  });
}

/** Puts a delivery back as if it had not been tried: what stopped it was our own fault or our own end. */
export async function giveBack(db: Database, claimed: Claimed, waitMs: number): Promise<void> {
  await sql`
    update deliveries set state = 'queued', worker = null, attempts = attempts - 1, run_at = ${fromNow(waitMs)}
    where ${stillOurs(claimed)}`.execute(db.query);
}

/**
 * Puts back what `worker` was sending when it stopped; they are due at once. The try counts: a delivery that takes its
 * worker down must not do so for ever.
 */
export async function releaseDeliveries(db: Database, worker: string): Promise<number> {
  const { numAffectedRows } = await sql`
    update deliveries set state = 'queued', worker = null, run_at = now()
    where worker = ${worker} and state = 'sending'`.execute(db.query);
  return Number(numAffectedRows ?? 0);
}

/**
 * Puts back what workers were sending that no longer stand among the living. Who is alive is judged where images are
 * reaped, and in one way only: by the rows of `workers`. Uses deliveries_sending.
 */
export async function releaseLostDeliveries(db: Database, self: string): Promise<number> {
  const { numAffectedRows } = await sql`
    update deliveries d set state = 'queued', worker = null, run_at = now()
    where d.state = 'sending' and d.worker <> ${self}
      and not exists (select 1 from workers w where w.id = d.worker)`.execute(db.query);
  return Number(numAffectedRows ?? 0);
}

/** A row in `receivers` means trouble: failing since when, and whether we have given up. An arrival removes it. */
async function noteReceiver(tx: Tx, { owner, url }: Claimed, verdict: Verdict): Promise<void> {
  if (verdict.state === 'delivered') {
    await tx.deleteFrom('receivers').where('owner', '=', owner).where('url', '=', url).execute();
    return;
  }
  const gone = verdict.state === 'dead' && verdict.gone;
  await sql`
    insert into receivers as r (owner, url, failing_since, disabled_at)
    values (${owner}, ${url}, now(), case when ${gone} then now() end)
    on conflict (owner, url) do update set
      failing_since = coalesce(r.failing_since, now()),
      disabled_at = case
        when ${gone} or r.failing_since < now() - interval '5 days' then coalesce(r.disabled_at, now())
        else r.disabled_at end`.execute(tx);
}

const stillOurs = (claimed: Claimed): RawBuilder<boolean> =>
  sql`id = ${claimed.id} and worker = ${claimed.worker} and attempts = ${claimed.attempts} and state = 'sending'`;

const fromNow = (ms: number): RawBuilder<Date> => sql`now() + ${ms}::float8 * interval '1 millisecond'`;

/** jsonb refuses NUL and half surrogates, and an answer may hold both: unstorable, it would be sent for ever. */
function storable(entry: DeliveryTry): DeliveryTry {
  return { ...entry, excerpt: entry.excerpt.replaceAll('\0', '').toWellFormed() };
}
