// quiet.ts — waits until the product has nothing more to do, and until those who follow it have heard all of it.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Followers } from './followers.ts';
import type { Servers } from './servers.ts';

const open = `select
  (select count(*) from images where state in ('queued', 'dispatched', 'running'))
  + (select count(*) from batches where state in ('expanding', 'queued', 'running') or chore is not null)
  + (select count(*) from deliveries where state in ('queued', 'sending'))
  + (select count(*) from events where seq is null) as left`;

/** How much is left to do when that has not changed for `ms`; 0 as soon as there is nothing. A busy machine is no fault. */
export async function untilQuiet(
  servers: Servers,
  urls: string[],
  { ms, say }: { ms: number; say: (line: string) => void },
): Promise<number> {
  let left = Number.NaN;
  let changedAt = performance.now();
  for (let turn = 1; performance.now() - changedAt < ms; turn += 1, await sleep(250)) {
    if (turn % 40 === 0) say(`${left} things are to be done`);
    const count = servers.database ? leftInDatabase(servers) : leftByApi(urls);
    const now = await count.catch(() => Number.NaN);
    if (now === 0) return 0;
    if (now !== left && !Number.isNaN(now)) changedAt = performance.now();
    left = now;
  }
  return left;
}

async function leftInDatabase(servers: Servers): Promise<number> {
  const [row] = await servers.ask<{ left: string }>(open);
  return Number(row?.left ?? Number.NaN);
}

type Overview = { queues: { waiting: number; running: number }[] };
type Page = { items: unknown[] };

/** The embedded database speaks to its owner alone, so the API is asked; a deletion shows in no list, and has its turn. */
async function leftByApi(urls: string[]): Promise<number> {
  const get = async <T>(path: string): Promise<T> => {
    const headers = { accept: 'application/json' };
    const response = await fetch((urls[0] ?? '') + path, { headers, signal: AbortSignal.timeout(5_000) });
    if (!response.ok) throw new Error(`${path} ${response.status}`);
    return (await response.json()) as T;
  };
  const count = async (): Promise<number> => {
    const { queues } = await get<Overview>('/v1/admin/overview');
    const busy = queues.reduce((sum, { waiting, running }) => sum + waiting + running, 0);
    const lists = ['expanding', 'queued', 'running'].map((state) => get<Page>(`/v1/batches?state=${state}&limit=500`));
    return busy + (await Promise.all(lists)).reduce((sum, { items }) => sum + items.length, 0);
  };
  const first = await count();
  if (first > 0) return first;
  await sleep(4_000); // twice the turn of the chores
  return count();
}

/** Waits until every follower stands behind the last event; false when that took longer than `ms`. */
export async function untilHeard(followers: Followers, urls: string[], ms: number): Promise<boolean> {
  for (const until = performance.now() + ms; performance.now() < until; await sleep(200)) {
    const rest = await Promise.all(followers.all.map(({ last }) => unheard(urls, last())));
    if (rest.every((more) => more === 0)) return true;
  }
  return false;
}

async function unheard(urls: string[], after: string): Promise<number> {
  try {
    const headers = { accept: 'application/json' };
    const response = await fetch(`${urls[0]}/v1/events?after=${after}&limit=1`, { headers });
    const { items } = (await response.json()) as Page;
    return items.length;
  } catch {
    return 1;
  }
}
