// faults-database.test.ts — fault 5 of the reliability table: the database restarts in every way, under load.
//
// DARKROOM_TEST_ROUNDS=20 makes the long run: 60 restarts of up to 12 s.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { numbers, openCluster, type Cluster } from './support/cluster.ts';
import { databaseEngines } from './support/databases.ts';
import { rounds, tellFigures } from './support/figures.ts';
import { openGallery, type Gallery } from './support/gallery.ts';
import { startPrivatePostgres, type Ending, type PrivatePostgres } from './support/private-postgres.ts';

const endings: Ending[] = ['fast', 'immediate', 'kill -9'];
/** Longer than a worker may be silent, too. */
const secondsDown = rounds > 1 ? [0, 1, 3, 12] : [0.5];
const imagesPerRound = 80;

describe.skipIf(!databaseEngines.includes('postgres'))('a database of its own', () => {
  let postgres: PrivatePostgres;
  let gallery: Gallery;
  let house: Cluster;
  beforeAll(async () => {
    [postgres, gallery] = await Promise.all([startPrivatePostgres(), openGallery({ delayMs: 50 })]);
    house = await openCluster({ databaseUrl: postgres.url, env: { DARKROOM_ALLOW_HOSTS: gallery.host } });
    await Promise.all([house.hire(), house.hire()]);
  }, 180_000);
  afterAll(async () => {
    await house?.[Symbol.asyncDispose]();
    await gallery?.[Symbol.asyncDispose]();
    await postgres?.stop();
  });

  test(
    `fault 5: workers settle again within seconds of its return, and nobody is struck (${rounds} rounds)`,
    { timeout: 150_000 + rounds * 90_000 },
    async () => {
      const ids: string[] = [];
      const waits = new Map<Ending, number[]>(endings.map((how) => [how, []]));
      for (const [how, seconds] of waits)
        for (let round = 0; round < rounds; round += 1) {
          ids.push(await house.submit(numbers(imagesPerRound, ids.length * imagesPerRound).map(gallery.url)));
          const held = await heldImages(house, 2);
          await postgres.end(how);
          await sleep((secondsDown[round % secondsDown.length] ?? 0) * 1000);
          const back = await postgres.start();
          seconds.push(...(await settledAgain(house, held, back)));
        }
      await house.endWell(ids);
      expect(await house.struck()).toEqual([]);
      expect(await house.mistakes()).toEqual([]);
      for (const { output } of house.workers) expect(output()).not.toContain('declared dead');
      const lost = await house.lost(ids.length * imagesPerRound);
      for (const [how, seconds] of waits) tellFigures(`fault 5, ${how}`, { rounds, seconds, lost });
      expect(lost).toBe(0);
      // Beyond 20 s are those whose claim was committed and never answered: nobody misses them for 15 s.
      expect(Math.max(...[...waits.values()].flat())).toBeLessThanOrEqual(40);
    },
  );
});

/** Waits until so many workers have images in hand; which ones these are. */
async function heldImages(house: Cluster, workers: number): Promise<string[]> {
  const running = () =>
    house.ask<{ id: string; worker: string }>(`select id, worker from images where state = 'running'`);
  const busy = async () => new Set((await running()).map(({ worker }) => worker)).size;
  await expect.poll(busy, { timeout: 30_000, interval: 20 }).toBe(workers);
  return (await running()).map(({ id }) => id);
}

/** Seconds from the database's return to the first settle, and to the end of each image that was in hand when it went. */
async function settledAgain(house: Cluster, held: string[], back: number): Promise<number[]> {
  const ends = () =>
    house.ask<{ id: string; at: Date }>(
      `select id, finished_at as at from images where finished_at > $1 and state = 'succeeded' order by finished_at`,
      [new Date(back)],
    );
  const open = () => house.ask(`select 1 from images where id = any($1) and state <> 'succeeded'`, [held]);
  await expect.poll(async () => (await ends()).length, { timeout: 30_000, interval: 100 }).toBeGreaterThan(0);
  await expect.poll(async () => (await open()).length, { timeout: 60_000, interval: 100 }).toBe(0);
  const all = await ends();
  return all.filter(({ id }, place) => place === 0 || held.includes(id)).map(({ at }) => (at.getTime() - back) / 1000);
}
