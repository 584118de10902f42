// faults-line.test.ts — fault 6 of the reliability table: the line to the database is reset, silent, or slow.
//
// DARKROOM_TEST_ROUNDS=20 makes the long run, with silences of 30 s.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openProxy, type Proxy, type Weather } from '../chaos/proxy.ts';
import { numbers, openCluster, type Cluster } from './support/cluster.ts';
import { databaseEngines, emptyPostgres } from './support/databases.ts';
import { rounds, tellFigures } from './support/figures.ts';
import { openGallery, type Gallery } from './support/gallery.ts';

const isLong = rounds > 1;
const imagesPerRound = 60;
/** For how long each lasts; silence in the long form is longer than a worker may be silent, and than anybody waits. */
const weathers: { name: string; weather: Weather; ms: number }[] = [
  { name: 'reset', weather: { kind: 'reset' }, ms: 500 },
  { name: 'silent', weather: { kind: 'silent' }, ms: isLong ? 30_000 : 2_000 },
  { name: 'slower by 500 ms', weather: { kind: 'slow', ms: 500 }, ms: isLong ? 10_000 : 3_000 },
];
const timeout = { timeout: 120_000 + rounds * 90_000 };

describe.skipIf(!databaseEngines.includes('postgres'))('the line to the database', () => {
  let postgres: Awaited<ReturnType<typeof emptyPostgres>>;
  let line: Proxy;
  let gallery: Gallery;
  let house: Cluster;
  let images = 0;
  beforeAll(async () => {
    postgres = await emptyPostgres();
    const url = new URL(postgres.url);
    const port = Number(url.port);
    [line, gallery] = await Promise.all([openProxy(() => port), openGallery({ delayMs: 50 })]);
    url.port = String(line.port);
    const env = { DATABASE_URL: url.href, DARKROOM_ALLOW_HOSTS: gallery.host };
    house = await openCluster({ databaseUrl: postgres.url, env });
    await Promise.all([house.hire(), house.hire()]);
  }, 180_000);
  afterAll(async () => {
    await house?.[Symbol.asyncDispose]();
    await line?.stop();
    await gallery?.[Symbol.asyncDispose]();
    await postgres?.drop();
  });

  for (const { name, weather, ms } of weathers)
    test(`fault 6: nothing is lost while it is ${name} (${rounds} rounds)`, timeout, async () => {
      const ids: string[] = [];
      const seconds: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        ids.push(await house.submit(numbers(imagesPerRound, images + 1).map(gallery.url)));
        images += imagesPerRound;
        const busy = () => house.ask(`select distinct worker from images where state = 'running'`);
        await expect.poll(async () => (await busy()).length, { timeout: 60_000, interval: 20 }).toBe(2);
        line.turn(weather);
        await sleep(ms);
        const fair = await house.now();
        line.turn({ kind: 'fair' });
        await house.endWell(ids.slice(-1));
        const [row] = await house.ask<{ at: Date | null }>(
          'select min(finished_at) as at from images where finished_at > $1',
          [new Date(fair)],
        );
        // What is only slow may be done before it is over.
        if (row?.at) seconds.push((row.at.getTime() - fair) / 1000);
      }
      const lost = await house.lost(images);
      const struck = (await house.struck()).length;
      tellFigures(`fault 6, ${name}, ${struck} struck so far, settles again after`, { rounds, seconds, lost });
      expect(lost).toBe(0);
      // Who was silent for long may be taken for dead; that costs no image a try.
      expect(await house.mistakes()).toEqual([]);
      expect(await house.missing()).toEqual([]);
    });
});
