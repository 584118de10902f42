// relay.ts — sends tickets of due images to the broker: after commit, and never more than a window full.
//
// The row says `dispatched` before its ticket is published, so a ticket that gets lost leaves a trace: housekeeping finds
// it by its age. A broker keeps no order and cannot be asked for one ticket; the window is what keeps order and fairness in
// the database, and a broker's memory small. What is not confirmed goes back at once.

import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Logger } from 'pino';
import type { Uses } from '../app.ts';
import type { Lane, Ticket } from '../queue/queue.ts';
import type { Bell } from './loops.ts';
import { silentMs } from './reap.ts';

/** Two numbers of our own for the lock: one relay counts and fills the window at a time. */
const relayLock = [0x6461_726b, 1] as const;
const pollMs = 250;
const leastWindow = 16;
/** A ticket is lost after so long, and much sooner when its lane is empty at the broker. */
const lostMs = 60_000;
const lostWhenDryMs = 5_000;
const rowsAtOnce = 1_000;

type Needs = Uses<'db' | 'queue' | 'config'>;

/** The broker did not take tickets; they are back in the database. */
export class NotPublished extends Error {
  override readonly name = 'NotPublished';
}

/** Fills the window once; returns how many tickets were published. Throws {@link NotPublished} when the broker refused. */
export async function dispatchDue(app: Needs): Promise<number> {
  const tickets = await app.db.transaction(async (tx) => {
    const [key, lock] = relayLock;
    // A statement of its own: the counts must be read after the last relay has committed.
    const { rows } = await sql<{
      ours: boolean;
    }>`select pg_try_advisory_xact_lock(${key}::int, ${lock}::int) as ours`.execute(tx);
    return rows[0]?.ours ? dispatchRows(tx, app.config.queueWindow) : [];
  });
  if (tickets.length === 0) return 0;
  try {
    await app.queue.publish(tickets);
  } catch (error) {
    await putBack(
      app,
      tickets.map(({ id }) => id),
    );
    throw new NotPublished('tickets were not published', { cause: error });
  }
  return tickets.length;
}

/** Most of each lane: four for each slot alive; of suspects one for each worker. */
async function dispatchRows(tx: Uses<'db'>['db']['query'], window: number): Promise<Ticket[]> {
  const { rows } = await sql<{ id: string; lane: Lane; turn: number }>`
    with alive as (
      select coalesce(sum(slots), 0) as slots, count(*) as workers from workers
      where seen_at > now() - ${silentMs} * interval '1 ms'
    ), sent as (
      select lane, count(*) as tickets from images where state = 'dispatched' group by lane
    ), room as (
      select l.lane, coalesce(-s.tickets, 0) + least(${window}::int,
        case when l.lane = 2 then a.workers else greatest(${leastWindow}::int, 4 * a.slots) end) as tickets
      from unnest(array[0, 1, 2]::smallint[]) as l(lane) cross join alive a left join sent s on s.lane = l.lane
    ), due as (
      select d.id from room cross join lateral (
        select i.id from images i
        where i.state = 'queued' and i.run_at is null and i.lane = room.lane
        order by i.lane, i.turn, i.id
        limit greatest(room.tickets, 0)
        for update of i skip locked
      ) d
    )
    update images i set state = 'dispatched', dispatched_at = now()
    from due where i.id = due.id
    returning i.id, i.lane, i.turn`.execute(tx);
  // RETURNING does not keep the order.
  return rows.toSorted((a, b) => a.lane - b.lane || a.turn - b.turn).map(({ id, lane }) => ({ id, lane }));
}

/** Images whose ticket nobody will use wait in the database again; whoever has started meanwhile stays. */
export async function putBack({ db }: Uses<'db'>, ids: string[]): Promise<void> {
  if (ids.length === 0) return;
  await sql`
    with lost as (
      select id from images where id = any(${ids}::uuid[]) and state = 'dispatched' order by id for update
    )
    update images i set state = 'queued', dispatched_at = null from lost where i.id = lost.id`.execute(db.query);
}

/**
 * Puts back images whose tickets are lost; returns how many. A broker that cannot be asked has none waiting, and without a
 * broker there are none at all: then somebody took QUEUE_URL away.
 */
export async function findLostTickets({ db, queue }: Uses<'db' | 'queue'>): Promise<number> {
  const { rows: old } = await sql<{ lane: Lane }>`
    select l.lane from unnest(array[0, 1, 2]::smallint[]) as l(lane)
    where exists (
      select 1 from images i where i.state = 'dispatched' and i.lane = l.lane
        and i.dispatched_at < now() - ${lostWhenDryMs} * interval '1 ms')`.execute(db.query);
  if (old.length === 0) return 0;
  const dry: Lane[] = [];
  for (const { lane } of old) if ((await queue.waiting(lane).catch(() => 0)) === 0) dry.push(lane);
  const { rows } = await sql<{ found: number }>`
    with lost as (
      select id from images
      where state = 'dispatched' and dispatched_at < now() - ${lostWhenDryMs} * interval '1 ms'
        and (lane = any(${dry}::smallint[]) or dispatched_at < now() - ${lostMs} * interval '1 ms')
      order by id limit ${rowsAtOnce} for update skip locked
    ), found as (
      update images i set state = 'queued', dispatched_at = null from lost where i.id = lost.id returning i.id
    )
    select count(*)::int as found, case when count(*) > 0 then pg_notify('work', '') end from found`.execute(db.query);
  return rows[0]?.found ?? 0;
}

export type RelayOptions = { bell: Bell; broker: Broker; log: Logger; signal: AbortSignal };

/** Fills the window whenever `bell` rings, and by the clock, while the broker takes tickets. */
export async function relayTickets(app: Needs, { bell, broker, log, signal }: RelayOptions): Promise<void> {
  while (!signal.aborted) {
    try {
      if (!broker.isAway()) await dispatchDue(app);
    } catch (error) {
      if (error instanceof NotPublished) broker.refused();
      log.warn({ err: error }, 'tickets could not be sent');
    }
    await bell.wait(pollMs, signal);
  }
}

const lookEveryMs = 1_000;
const awayAfterMs = 5_000;
const refusedForMs = 10_000;

export type Broker = {
  /** Workers claim from the database meanwhile. */
  isAway(): boolean;
  /** It answers, and takes no tickets all the same: it is left alone for a while. */
  refused(): void;
  /** Ends when its signal aborts. */
  done: Promise<void>;
};

/** Looks after the broker until `signal` aborts. It is away when it has not been well for five seconds. */
export function watchBroker({ queue }: Uses<'queue'>, log: Logger, signal: AbortSignal): Broker {
  let wellAt = performance.now();
  let refusedUntil = 0;
  let told = false;
  const isAway = (): boolean => performance.now() < refusedUntil || performance.now() - wellAt > awayAfterMs;

  async function look(): Promise<void> {
    const { ok, detail } = await queue.healthy();
    if (ok) wellAt = performance.now();
    if (isAway() === told) return;
    told = !told;
    if (told) log.warn({ detail }, 'the broker is away: images are claimed from the database');
    else log.info('the broker is back: images come by tickets');
  }

  async function watch(): Promise<void> {
    while (!signal.aborted) {
      await look();
      await sleep(lookEveryMs, undefined, { signal }).catch(() => {});
    }
  }

  return { isAway, refused: () => void (refusedUntil = performance.now() + refusedForMs), done: watch() };
}
