// overview.ts — what an operator wants to see at a glance: queues, workers, hosts, storage, in a handful of statements.
//
// Depths come from counters and partial indexes, so that a look costs the same under any backlog. Only the sum of all files
// walks its table, and is therefore remembered for a minute.

import { sql } from 'kysely';
import type { Uses } from '../app.ts';
import type { HostState } from '../egress/egress.ts';
import { workload } from './read.ts';
import { silentMs } from './reap.ts';

export type QueueView = {
  name: 'images' | 'deliveries';
  waiting: number;
  running: number;
  /** Failed for good and still there: a retry would find them. */
  failed: number;
  oldestSeconds: number | null;
  /** Ends per second, of the last quarter of a minute. */
  rate: number;
};

export type WorkerView = {
  id: string;
  machine: string;
  pid: number;
  version: string;
  slots: number;
  busy: number;
  startedAt: Date;
  seenAt: Date;
  silent: boolean;
};

export type HostView = {
  host: string;
  state: 'blocked' | 'slow' | 'ok';
  /** What this process allows the host at the same time; null = as many as any other. */
  connections: number | null;
  /** Images that wait for it. */
  parked: number;
  retryAt: Date | null;
};

const rateSeconds = 15;
const mostRows = 500;
/** Waiting images that are looked at for their host: images_waiting is asked, never the table. */
const mostWaiting = 10_000;

export async function queueViews(app: Uses<'db'>): Promise<QueueView[]> {
  const load = await workload(app);
  const { rows } = await sql<
    Record<'failed' | 'settled' | 'queued' | 'sending' | 'dead' | 'arrived', number> & { oldest: number | null }
  >`
    select
      (select coalesce(sum(failed), 0) from batches where chore is distinct from 'delete') as failed,
      (select coalesce(sum(length(outcomes)), 0) from events
        where type = 'images.settled' and at > now() - ${rateSeconds} * interval '1 s') as settled,
      (select count(*) from deliveries where state = 'queued') as queued,
      (select count(*) from deliveries where state = 'sending') as sending,
      count(*) filter (where state = 'dead') as dead,
      count(*) filter (where state = 'delivered' and finished_at > now() - ${rateSeconds} * interval '1 s') as arrived,
      (select extract(epoch from now() - min(run_at)) from deliveries where state = 'queued' and run_at <= now()) as oldest
    from deliveries`.execute(app.db.query);
  const row = rows[0] ?? { failed: 0, settled: 0, queued: 0, sending: 0, dead: 0, arrived: 0, oldest: null };
  const { waiting, running, oldestSeconds } = load;
  return [
    { name: 'images', waiting, running, failed: Number(row.failed), oldestSeconds, rate: perSecond(row.settled) },
    {
      name: 'deliveries',
      waiting: Number(row.queued),
      running: Number(row.sending),
      failed: Number(row.dead),
      oldestSeconds: row.oldest === null ? null : Math.round(Number(row.oldest)),
      rate: perSecond(row.arrived),
    },
  ];
}

const perSecond = (count: number): number => Math.round((Number(count) / rateSeconds) * 10) / 10;

export async function workerViews({ db }: Uses<'db'>): Promise<WorkerView[]> {
  const { rows } = await sql<{
    id: string;
    machine: string;
    pid: number;
    version: string;
    slots: number;
    busy: number;
    started_at: Date;
    seen_at: Date;
    silent: boolean;
  }>`
    select id, machine, pid, version, slots, busy, started_at, seen_at,
      seen_at < now() - ${silentMs} * interval '1 ms' as silent
    from workers order by machine, started_at, id limit ${mostRows}`.execute(db.query);
  return rows.map(({ started_at, seen_at, ...row }) => ({ ...row, startedAt: started_at, seenAt: seen_at }));
}

/** Hosts of which there is something to say: blocked for all, slowed down in this process, or waited for. */
export async function hostViews({ db, egress }: Uses<'db' | 'egress'>): Promise<HostView[]> {
  const { rows } = await sql<{ host: string; blocked_until: Date | null; parked: number }>`
    with waiting as (
      select error_host as host, count(*) as parked
      from (select error_host from images where state = 'queued' and run_at is not null order by run_at limit ${mostWaiting}) w
      where error_host is not null group by 1
    ), blocked as (
      select host, blocked_until from hosts where blocked_until > now() order by host limit ${mostRows}
    )
    select host, blocked_until, coalesce(parked, 0) as parked
    from blocked full join waiting using (host)
    order by parked desc, host limit ${mostRows}`.execute(db.query);
  const here = new Map(egress.hosts.snapshot().map((each) => [each.host, each]));
  const known = new Set(rows.map(({ host }) => host));
  const others = [...here.keys()].filter((host) => !known.has(host));
  return [...rows, ...others.map((host) => ({ host, blocked_until: null, parked: 0 }))]
    .slice(0, mostRows)
    .map(({ host, blocked_until, parked }) =>
      hostView(host, { until: blocked_until, parked: Number(parked) }, here.get(host)),
    );
}

function hostView(host: string, shared: { until: Date | null; parked: number }, here: HostState | undefined): HostView {
  const retryAt = shared.until ?? here?.blockedUntil ?? null;
  const state = retryAt ? 'blocked' : here ? 'slow' : 'ok';
  return { host, state, connections: here && !retryAt ? here.connections : null, parked: shared.parked, retryAt };
}

/** Receivers that get nothing more, or fail since a while. */
export async function troubledReceivers({ db }: Uses<'db'>) {
  const { rows } = await sql<{ owner: string; url: string; failing_since: Date | null; disabled_at: Date | null }>`
    select owner, url, failing_since, disabled_at from receivers
    order by disabled_at desc nulls last, failing_since, owner, url limit ${mostRows}`.execute(db.query);
  return rows;
}

const filesForMs = 60_000;

/** Bytes of all files, as of at most a minute ago. */
export function openFileCount({ db }: Uses<'db'>): () => Promise<number> {
  let last: { at: number; bytes: Promise<number> } | undefined;
  const count = async (): Promise<number> => {
    const { rows } = await sql<{ bytes: number }>`select coalesce(sum(bytes), 0) as bytes from files`.execute(db.query);
    return Number(rows[0]?.bytes ?? 0);
  };
  return () => {
    if (!last || performance.now() - last.at > filesForMs) {
      const asked = { at: performance.now(), bytes: count() };
      // A failed count is not remembered.
      asked.bytes.catch(() => {
        if (last === asked) last = undefined;
      });
      last = asked;
    }
    return last.bytes;
  };
}
