// hosts.ts — politeness that all processes share: which hosts are blocked or slowed, and when each parked image may come.
//
// The memory of one process is egress/hosts.ts; this table makes the others know it. Parked images get places in a row at
// the host's rate, so that a thousand of them do not come back in the same second.

import { sql } from 'kysely';
import type { Uses } from '../app.ts';
import type { HostState } from '../egress/egress.ts';
import { bundle } from './bundle.ts';

const parkedPerSecond = 10;
const furthestMs = 600_000;
const mostHosts = 1_000;

export type ParkedWaits = {
  /** Ms until the place of one more parked image of `host`, which is blocked for `blockedMs`. At most ten minutes. */
  reserve(host: string, blockedMs: number): Promise<number>;
};

export function parkedWaits({ db }: Uses<'db'>): ParkedWaits {
  const places = bundle<{ host: string; blockedMs: number }, number>(
    async (asked) => {
      const byHost = Map.groupBy(asked, ({ host }) => host);
      const rows = [...byHost].map(([host, some]) => ({
        host,
        count: some.length,
        blocked_ms: Math.round(Math.max(...some.map(({ blockedMs }) => blockedMs))),
      }));
      const waits = await reserveRows({ db }, rows);
      return asked.map(({ host, blockedMs }) => {
        const first = waits.get(host) ?? blockedMs;
        waits.set(host, first + 1_000 / parkedPerSecond);
        return Math.min(furthestMs, Math.max(blockedMs, first));
      });
    },
    { ms: 5, most: 100 },
  );
  return { reserve: (host, blockedMs) => places.add({ host, blockedMs }) };
}

/**
 * Moves each host's next place behind those asked for; returns the wait of the first of them. Says nothing about the block
 * itself: a wait for the one probe is no block, and told to all as one it would keep the probe's success from counting.
 */
async function reserveRows({ db }: Uses<'db'>, rows: { host: string; count: number; blocked_ms: number }[]) {
  const places = await sql<{ host: string; first_ms: number }>`
    with asked as (
      select host, count / ${parkedPerSecond}::float8 * interval '1 s' as length, now() + blocked_ms * interval '1 ms' as free_at
      from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as r(host text, count int, blocked_ms float8)
    ), moved as (
      insert into hosts as h (host, next_at)
      select host, free_at + length from asked order by host
      on conflict (host) do update set
        next_at = least(
          greatest(h.next_at + (select length from asked where host = excluded.host), excluded.next_at),
          now() + ${furthestMs} * interval '1 ms')
      returning host, next_at
    )
    select host, extract(epoch from next_at - length - now()) * 1000 as first_ms
    from moved join asked using (host)`.execute(db.query);
  return new Map(places.rows.map(({ host, first_ms }) => [host, Number(first_ms)]));
}

/**
 * Tells the other processes which hosts are blocked or slowed here, and learns theirs. As waits, not as times: the clocks of
 * two machines may differ by a day. What stands is moved only by more than a second, or each telling would prolong it a
 * little.
 */
export async function shareHosts({ db, egress }: Uses<'db' | 'egress'>): Promise<void> {
  const mine = egress.hosts.snapshot();
  await tellBlocks({ db }, mine);
  await tellSlowdowns({ db }, mine);
  const { rows } = await sql<Shared>`
    select host, extract(epoch from blocked_until - now()) * 1000 as blocked_ms,
      extract(epoch from slowed_until - now()) * 1000 as slowed_ms, rate, failures
    from hosts where blocked_until > now() or slowed_until > now() limit ${mostHosts}`.execute(db.query);
  egress.hosts.merge(rows.map(stateFrom));
}

type Shared = {
  host: string;
  blocked_ms: number | null;
  slowed_ms: number | null;
  rate: number | null;
  failures: number;
};

const leftMs = (until: Date | undefined) => (until?.getTime() ?? 0) - Date.now();

async function tellBlocks({ db }: Uses<'db'>, states: HostState[]): Promise<void> {
  const blocked = states
    .map(({ host, blockedUntil, failures }) => ({ host, ms: leftMs(blockedUntil), failures }))
    .filter(({ ms }) => ms > 0);
  if (blocked.length === 0) return;
  await sql`
    insert into hosts as h (host, blocked_until, failures)
    select host, now() + ms * interval '1 ms', failures
    from jsonb_to_recordset(${JSON.stringify(blocked)}::jsonb) as r(host text, ms float8, failures int)
    order by host
    on conflict (host) do update set blocked_until = excluded.blocked_until, failures = excluded.failures
    where h.blocked_until is null or h.blocked_until < excluded.blocked_until - interval '1 s'`.execute(db.query);
}

/** While a slowdown holds, the slowest process counts. */
async function tellSlowdowns({ db }: Uses<'db'>, states: HostState[]): Promise<void> {
  const slowed = states
    .map(({ host, slowedUntil, connections }) => ({ host, ms: leftMs(slowedUntil), connections }))
    .filter(({ ms }) => ms > 0);
  if (slowed.length === 0) return;
  await sql`
    insert into hosts as h (host, slowed_until, rate)
    select host, now() + ms * interval '1 ms', connections
    from jsonb_to_recordset(${JSON.stringify(slowed)}::jsonb) as r(host text, ms float8, connections real)
    order by host
    on conflict (host) do update set
      slowed_until = greatest(h.slowed_until, excluded.slowed_until),
      rate = case when h.slowed_until > now() then least(h.rate, excluded.rate) else excluded.rate end
    where h.slowed_until is null or h.slowed_until < excluded.slowed_until - interval '1 s' or h.rate > excluded.rate`.execute(
    db.query,
  );
}

function stateFrom({ host, blocked_ms, slowed_ms, rate, failures }: Shared): HostState {
  const until = (ms: number | null) => (ms === null ? undefined : new Date(Date.now() + Number(ms)));
  return {
    host,
    blockedUntil: until(blocked_ms),
    slowedUntil: until(slowed_ms),
    connections: rate ?? Infinity,
    failures,
  };
}
