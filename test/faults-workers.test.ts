// faults-workers.test.ts — faults 12, 19 and 20 of the reliability table: a worker is stopped for longer than it may be
// silent, another stands still for less than that, and two live in another day. All at once, over one row of batches.
//
// DARKROOM_TEST_ROUNDS=20 makes the long run: 20 stops of 60 s, four at a time.

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { blockedOnSignal, clockOff, clockShift } from './support/afflictions.ts';
import { numbers, openCluster, type Cluster } from './support/cluster.ts';
import { databaseEngines, emptyPostgres } from './support/databases.ts';
import { rounds, tellFigures } from './support/figures.ts';
import { openGallery } from './support/gallery.ts';
import type { Product } from './support/product.ts';

const isLong = rounds > 1;
const stoppedMs = isLong ? 60_000 : 0;
const victimsAtOnce = isLong ? 4 : 1;
const blockedMs = 5_000;
/** By then a worker that has fallen silent has been found out. */
const foundOutMs = 13_000;

const declaredDead = 'declared dead and goes on under a new id';

describe.skipIf(!databaseEngines.includes('postgres'))('workers on PostgreSQL', () => {
  test(
    `faults 12, 19, 20: only who was silent too long is taken for dead, and it writes nothing any more (${rounds} rounds)`,
    { timeout: 240_000 + rounds * 60_000 },
    async () => {
      await using gallery = await openGallery({ delayMs: 1_000 });
      const postgres = await emptyPostgres();
      {
        await using house = await openCluster({
          databaseUrl: postgres.url,
          env: { DARKROOM_ALLOW_HOSTS: gallery.host },
        });
        const feed = startFeed(house, gallery.url);
        await house.hire();
        const [stopped, stalled, strangers] = await Promise.all([
          stopWorkers(house),
          stallWorker(house),
          liveInAnotherDay(house, () => feed.isOver()),
        ]).finally(() => feed.end());
        const ids = await feed.ids;
        await house.endWell(ids);
        await expect.poll(house.orphans, { timeout: 30_000 }).toEqual([]);

        const lost = await house.lost(ids.length * imagesPerBatch);
        const struck = (await house.struck()).map(({ id }) => id);
        tellFigures('fault 12, run elsewhere after', { rounds: stopped.rounds, seconds: stopped.seconds, lost });
        tellFigures(`fault 19, by ${clockShift}, images by workers a day off ${strangers.done}`, { rounds: 1, lost });
        tellFigures('fault 20, unnoticed', { rounds: stalled, lost });
        expect(lost).toBe(0);
        expect(strangers.done).toBeGreaterThan(0);
        const allInTime = stalled === rounds && strangers.kept;
        expect(allInTime ? struck.filter((id) => !stopped.held.has(id)) : []).toEqual([]);
        expect(await house.mistakes()).toEqual([]);
      }
      await postgres.drop();
    },
  );
});

const imagesPerBatch = 60;

/** Submits batch after batch, so that there is always something to do. */
function startFeed(house: Cluster, url: (n: number) => string) {
  const over = new AbortController();
  const waiting = () => house.ask(`select 1 from images where state = 'queued' limit ${imagesPerBatch}`);
  const ids = (async () => {
    const made: string[] = [];
    for (; !over.signal.aborted; await sleep(300))
      if ((await waiting()).length < imagesPerBatch)
        made.push(await house.submit(numbers(imagesPerBatch, made.length * imagesPerBatch + 1).map(url)));
    return made;
  })();
  return { ids, end: () => over.abort(), isOver: () => over.signal.aborted };
}

const heldBy = (house: Cluster, worker: string) =>
  house.ask<{ id: string }>(`select id from images where worker = $1 and state = 'running'`, [worker]);

/** Fault 12: stops some, lets them go on after they were found out; when what they held began anew. */
async function stopWorkers(house: Cluster) {
  const victims = await Promise.all(numbers(victimsAtOnce).map(() => house.hire()));
  const held = new Set<string>();
  const seconds: number[] = [];
  let done = 0;
  for (; done < rounds; done += victims.length) {
    const since = await house.now();
    const stopped = await Promise.all(
      victims.map(async (victim) => {
        const worker = await house.idOf(victim);
        await expect.poll(async () => (await heldBy(house, worker)).length, { timeout: 30_000 }).toBeGreaterThan(1);
        process.kill(victim.pid, 'SIGSTOP');
        return { victim, worker, images: await heldBy(house, worker) };
      }),
    );
    const at = await house.now();
    for (const { images } of stopped) for (const { id } of images) held.add(id);
    await Promise.all([sleep(stoppedMs), ...stopped.map(({ worker }) => reaped(house, worker))]);
    const awake = await house.now();
    for (const { victim, worker, images } of stopped) {
      const heard = victim.output().length;
      process.kill(victim.pid, 'SIGCONT');
      await expect.poll(() => victim.output().slice(heard), { timeout: 120_000 }).toContain(declaredDead);
      expect(await house.idOf(victim)).not.toBe(worker);
      seconds.push(...(await restarts(house, images, at)));
      const late = 'select id from images where worker = $1 and finished_at > $2';
      expect(await house.ask(late, [worker, new Date(awake)])).toEqual([]);
    }
    expect(awake).toBeGreaterThan(since);
  }
  return { rounds: done, held, seconds };
}

async function reaped(house: Cluster, worker: string): Promise<void> {
  await expect.poll(async () => (await heldBy(house, worker)).length, { timeout: 180_000, interval: 200 }).toBe(0);
}

/** When those of the images that a successor has begun were begun, in seconds after the stop. */
async function restarts(house: Cluster, images: { id: string }[], stoppedAt: number): Promise<number[]> {
  const ids = images.map(({ id }) => id);
  const open = () => house.ask(`select 1 from images where id = any($1) and strikes > 0 and state = 'queued'`, [ids]);
  await expect.poll(async () => (await open()).length, { timeout: 180_000, interval: 200 }).toBe(0);
  const rows = await house.ask<{ started_at: Date }>(
    'select started_at from images where id = any($1) and strikes > 0',
    [ids],
  );
  return rows.map(({ started_at: at }) => (at.getTime() - stoppedAt) / 1000);
}

/** Fault 20: blocks the loop of a worker again and again, for less time than silence takes; how often that went unnoticed. */
async function stallWorker(house: Cluster): Promise<number> {
  const worker = await house.hire(blockedOnSignal(blockedMs));
  let unnoticed = 0;
  for (let round = 0; round < rounds; round += 1) {
    const kept = keepsItsName(house, worker, blockedMs + 3_000);
    process.kill(worker.pid, 'SIGUSR2');
    if (await kept) unnoticed += 1;
  }
  const kept = await keepsItsName(house, worker, foundOutMs - blockedMs);
  expect(kept && unnoticed === rounds && worker.output().includes(declaredDead)).toBe(false);
  return unnoticed;
}

/** Fault 19: two workers live a day before and after; how many images they have done, and whether they kept their names. */
async function liveInAnotherDay(house: Cluster, isOver: () => boolean) {
  const strangers: Product[] = await Promise.all([house.hire(clockOff(1)), house.hire(clockOff(-1))]);
  const ids = await Promise.all(strangers.map(house.idOf));
  const kept: boolean[] = [];
  for (let look = 0; look < rounds && !isOver(); look += 1)
    kept.push(...(await Promise.all(strangers.map((each) => keepsItsName(house, each, foundOutMs)))));
  const [row] = await house.ask<{ done: number }>(
    `select count(*)::int as done from images where worker = any($1) and state = 'succeeded'`,
    [ids],
  );
  return { done: row?.done ?? 0, kept: !kept.includes(false) };
}

/**
 * Watches a worker for so long; true when its name stayed. False on a machine so busy that its heartbeat was late by
 * itself: then it was rightly taken for dead.
 */
async function keepsItsName(house: Cluster, worker: Product, ms: number): Promise<boolean> {
  const id = await house.idOf(worker);
  let silent = 0;
  for (const until = performance.now() + ms; performance.now() < until; await sleep(200)) {
    const [row] = await house.ask<{ silent: number }>(
      'select extract(epoch from clock_timestamp() - seen_at)::float8 as silent from workers where id = $1',
      [id],
    );
    if (row) silent = Math.max(silent, row.silent);
    else {
      expect(silent).toBeGreaterThan(8);
      return false;
    }
  }
  return true;
}
