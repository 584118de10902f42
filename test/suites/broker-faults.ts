// broker-faults.ts — faults 8 to 11 of the reliability table, for each broker: it restarts, forgets, falls silent, repeats.
//
// A broker only carries tickets, so that nothing may be lost; what is measured is for how long nobody begins an image.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openProxy, type Proxy } from '../../chaos/proxy.ts';
import { openQueue } from '../../src/queue/index.ts';
import type { BrokerEngine } from '../support/brokers.ts';
import { numbers, openCluster, type Cluster } from '../support/cluster.ts';
import { databaseEngines, emptyPostgres, silent } from '../support/databases.ts';
import { rounds, tellFigures } from '../support/figures.ts';
import { openGallery, type Gallery } from '../support/gallery.ts';
import type { Broker } from '../support/redis.ts';

/** With sixteen in hand some twenty begin in a second, so that a gap shows. */
const delayMs = 800;
const imagesPerRound = rounds > 1 ? 260 : 110;
const isLong = rounds > 1;

type Town = AsyncDisposable & { broker: Broker; line: Proxy; house: Cluster; gallery: Gallery; instance: string };

export function brokerFaultSuite(engine: BrokerEngine): void {
  describe.skipIf(!engine.program || !databaseEngines.includes('postgres'))(`with ${engine.name}`, () => {
    let town: Town;
    let pictures = 0;
    beforeAll(async () => {
      town = await openTown(engine);
    }, 180_000);
    afterAll(() => town?.[Symbol.asyncDispose]());
    const submit = (count: number) => {
      pictures += count;
      return town.house.submit(numbers(count, pictures).map(town.gallery.url));
    };

    /** Submits, lets `happen` happen in the midst of it, and waits for the end: the longest time in which nothing began. */
    async function gapOf(happen: () => Promise<void>): Promise<number> {
      const { house } = town;
      const id = await submit(imagesPerRound);
      await busy(house);
      const from = await house.now();
      await happen();
      await house.endWell([id]);
      const starts = await house.ask<{ started_at: Date }>(
        'select started_at from images where batch_id = $1 and started_at > $2 order by started_at',
        [id, new Date(from)],
      );
      const times = [from, ...starts.map(({ started_at }) => started_at.getTime())];
      return Math.max(...times.slice(1).map((at, n) => (at - times[n]!) / 1000));
    }

    async function proveNothingLost(): Promise<number> {
      expect(await town.house.mistakes()).toEqual([]);
      expect(await town.house.struck()).toEqual([]);
      const lost = await town.house.lost(pictures);
      expect(lost).toBe(0);
      return lost;
    }

    for (const signal of isLong ? (['TERM', 'KILL'] as const) : (['KILL'] as const))
      test(
        `fault 8: images go on while it is away after SIG${signal} (${rounds} rounds)`,
        timeout(60_000),
        async () => {
          const seconds: number[] = [];
          for (let round = 0; round < rounds; round += 1)
            seconds.push(
              await gapOf(async () => {
                const from = await town.house.now();
                await town.broker.kill(signal);
                // Every other one is back before anybody misses it.
                if (isLong && round % 2 === 0) await sleep(500);
                else await startedSince(town.house, from + 3_000);
                await town.broker.start();
              }),
            );
          tellFigures(`fault 8, ${engine.name}, ${signal}, gap`, { rounds, seconds, lost: await proveNothingLost() });
          expect(Math.max(...seconds)).toBeLessThanOrEqual(20);
        },
      );

    test(`fault 9: what it has forgotten is found again (${rounds} rounds)`, timeout(60_000), async () => {
      const seconds: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        let [sent, from]: [{ id: string }[], number] = [[], 0];
        await gapOf(async () => {
          sent = await town.house.ask(`select id from images where state = 'dispatched'`);
          from = await town.house.now();
          await engine.wipe(town.broker, town.instance);
        });
        const again = await town.house.ask<{ started_at: Date }>('select started_at from images where id = any($1)', [
          sent.map(({ id }) => id),
        ]);
        expect(again.length).toBeGreaterThan(0);
        seconds.push(...again.map(({ started_at }) => (started_at.getTime() - from) / 1000));
      }
      tellFigures(`fault 9, ${engine.name}, tickets outstanding`, { rounds, seconds, lost: await proveNothingLost() });
      expect(Math.max(...seconds)).toBeLessThanOrEqual(70);
    });

    test(`fault 10: images go on while it says nothing (${rounds} rounds)`, timeout(100_000), async () => {
      const seconds: number[] = [];
      for (let round = 0; round < rounds; round += 1)
        seconds.push(
          await gapOf(async () => {
            const from = await town.house.now();
            town.line.turn({ kind: 'silent' });
            await startedSince(town.house, from + 4_000);
            if (isLong) await sleep(60_000 - ((await town.house.now()) - from));
            town.line.turn({ kind: 'fair' });
          }),
        );
      tellFigures(`fault 10, ${engine.name}, gap`, { rounds, seconds, lost: await proveNothingLost() });
      expect(Math.max(...seconds)).toBeLessThanOrEqual(30);
    });

    // The short form is in handing-out.ts.
    test.skipIf(!isLong)(
      'fault 11: of 10,000 images whose tickets come three times more none begins twice',
      timeout(600_000),
      async () => {
        const { house, broker, instance } = town;
        const id = await submit(10_000);
        const queue = await openQueue({ url: broker.url, instance, log: silent });
        const rows = () => house.ask<{ id: string; lane: 1 }>('select id, lane from images where batch_id = $1', [id]);
        await expect.poll(async () => (await rows()).length, { timeout: 60_000 }).toBe(10_000);
        const tickets = await rows();
        for (let time = 0; time < 3; time += 1)
          for (let from = 0; from < tickets.length; from += 500) await queue.publish(tickets.slice(from, from + 500));
        await queue.close();
        await house.endWell([id], 1_500_000);
        const extra = await house.ask('select id from images where batch_id = $1 and attempts <> 1', [id]);
        tellFigures(`fault 11, ${engine.name}, ${extra.length} extra starts of 10,000`, {
          rounds: 1,
          lost: await proveNothingLost(),
        });
        expect(extra).toEqual([]);
      },
    );
  });
}

const timeout = (ms: number) => ({ timeout: 150_000 + rounds * ms });

async function openTown(engine: BrokerEngine): Promise<Town> {
  const [broker, gallery, postgres] = await Promise.all([engine.start(), openGallery({ delayMs }), emptyPostgres()]);
  const line = await openProxy(() => Number(new URL(broker.url).port));
  const url = new URL(broker.url);
  url.port = String(line.port);
  const env = { DARKROOM_ALLOW_HOSTS: gallery.host, QUEUE_URL: url.href };
  const house = await openCluster({ databaseUrl: postgres.url, env });
  await Promise.all([house.hire(), house.hire()]);
  const [row] = await house.ask<{ value: string }>(`select value from settings where name = 'instance'`);
  return {
    broker,
    gallery,
    line,
    house,
    instance: row?.value ?? '',
    async [Symbol.asyncDispose]() {
      await house[Symbol.asyncDispose]();
      await line.stop();
      await Promise.all([broker.stop(), gallery[Symbol.asyncDispose](), postgres.drop()]);
    },
  };
}

/** Both workers have images in hand, and tickets are out. */
async function busy(house: Cluster): Promise<void> {
  const look = () =>
    house.ask(`select count(*) filter (where state = 'dispatched') > 0 as tickets,
      count(distinct worker) filter (where state = 'running')::int as workers from images`);
  await expect.poll(look, { timeout: 30_000, interval: 20 }).toEqual([{ tickets: true, workers: 2 }]);
}

/** Something has begun after that time. */
async function startedSince(house: Cluster, from: number): Promise<void> {
  const look = () => house.ask('select 1 from images where started_at > $1 limit 1', [new Date(from)]);
  await expect.poll(async () => (await look()).length, { timeout: 40_000, interval: 100 }).toBe(1);
}
