// hosts.ts — politeness that all processes share: which hosts are blocked, and when each parked image may come.
//
// The memory of one process is egress/hosts.ts; this table makes the others know it. Parked images get places in a row at
// the host's rate, so that a thousand of them do not come back in the same second.

import { sql } from 'kysely';
import type { Uses } from '../app.ts';
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
 * Tells the other processes which hosts are blocked here, and learns theirs. As waits, not as times: the clocks of two
 * machines may differ by a day. A block is moved only by more than a second, or each telling would prolong it a little.
 */
export async function shareHosts({ db, egress }: Uses<'db' | 'egress'>): Promise<void> {
  const mine = egress.hosts.snapshot().flatMap(({ host, blockedUntil, failures }) => {
    const blocked_ms = (blockedUntil?.getTime() ?? 0) - Date.now();
    return blocked_ms > 0 ? [{ host, blocked_ms, failures }] : [];
  });
  if (mine.length > 0) {
    await sql`
      insert into hosts as h (host, blocked_until, failures)
      select host, now() + blocked_ms * interval '1 ms', failures
      from jsonb_to_recordset(${JSON.stringify(mine)}::jsonb) as r(host text, blocked_ms float8, failures int)
      order by host
      on conflict (host) do update set blocked_until = excluded.blocked_until, failures = excluded.failures
      where h.blocked_until is null or h.blocked_until < excluded.blocked_until - interval '1 s'`.execute(db.query);
  }
  const { rows } = await sql<{ host: string; blocked_ms: number; failures: number }>`
    select host, extract(epoch from blocked_until - now()) * 1000 as blocked_ms, failures from hosts
    where blocked_until > now() limit ${mostHosts}`.execute(db.query);
  egress.hosts.merge(
    rows.map(({ host, blocked_ms, failures }) => ({
      host,
      blockedUntil: new Date(Date.now() + Number(blocked_ms)),
      connections: 0,
      failures,
    })),
  );
}
