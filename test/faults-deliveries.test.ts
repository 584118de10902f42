// faults-deliveries.test.ts — fault 49 of the reliability table: whoever carries a webhook is killed while the receiver has it.
//
// DARKROOM_TEST_ROUNDS=25 makes the long run: 50 kills, half of them of the only process on an embedded database.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { catalogForm, openCluster } from './support/cluster.ts';
import { databaseEngines, emptyPostgres, seedDataDir } from './support/databases.ts';
import { rounds, tellFigures } from './support/figures.ts';
import { openGallery } from './support/gallery.ts';
import { freePort, startProduct, type Product } from './support/product.ts';
import { openReceiver, type Receiver } from './support/receiver.ts';

const patience = { timeout: 60_000, interval: 50 };

/** Kills when a webhook comes for the first time, and takes it at the second. */
async function openKiller(
  kill: () => void,
): Promise<Receiver & { idsOf: (batch: string) => unknown[]; seconds: number[] }> {
  const came = new Map<unknown, number>();
  const seconds: number[] = [];
  const receiver = await openReceiver(({ headers }) => {
    const id = headers['webhook-id'];
    const first = came.get(id);
    if (first !== undefined) {
      seconds.push((performance.now() - first) / 1000);
      return { status: 200 };
    }
    came.set(id, performance.now());
    kill();
    return new Promise<never>(() => {});
  });
  const idsOf = (batch: string) =>
    receiver.calls.filter(({ body }) => String(body).includes(batch)).map(({ headers }) => headers['webhook-id']);
  return { ...receiver, idsOf, seconds };
}

/** Came at least twice, always under one id; a third time only where a 200 was not written down. */
function expectSameId(ids: unknown[]): void {
  expect(ids.length).toBeGreaterThanOrEqual(2);
  expect(new Set(ids).size).toBe(1);
}

test(
  `fault 49: the next process on the directory sends it again under its id (${rounds} rounds)`,
  { timeout: 180_000 + rounds * 60_000 },
  async () => {
    await using gallery = await openGallery();
    let product: Product | undefined;
    await using receiver = await openKiller(() => void product?.end('SIGKILL'));
    const dataDir = await mkdtemp(join(tmpdir(), 'darkroom-delivery-'));
    await seedDataDir(dataDir);
    const env = { DARKROOM_ALLOW_HOSTS: `${gallery.host},${receiver.host}`, DARKROOM_LOG_LEVEL: 'warn' };
    const options = { dataDir, port: await freePort(), env };
    product = await startProduct(options);
    for (let round = 1; round <= rounds; round += 1) {
      const body = catalogForm([gallery.url(round)], receiver.url);
      const answer = await fetch(`${product.url}/upload`, { method: 'POST', body });
      const { request_id: id } = (await answer.json()) as { request_id: string };
      await product.gone;
      product = await startProduct(options);
      await expect.poll(() => receiver.idsOf(id).length, patience).toBeGreaterThanOrEqual(2);
      await expect.poll(() => deliveredTo(product!.url, id), patience).toBe('delivered');
      expectSameId(receiver.idsOf(id));
    }
    tellFigures('fault 49, embedded, sent again after', {
      rounds,
      seconds: receiver.seconds,
      lost: rounds - receiver.seconds.length,
    });
    expect(receiver.seconds).toHaveLength(rounds);
    await product.end('SIGKILL');
    await rm(dataDir, { recursive: true, force: true });
  },
);

async function deliveredTo(url: string, batch: string): Promise<string> {
  const answer = await fetch(`${url}/v1/batches/${batch}`);
  return ((await answer.json()) as { webhook: { state: string } }).webhook.state;
}

describe.skipIf(!databaseEngines.includes('postgres'))('with workers on PostgreSQL', () => {
  test(
    `fault 49: another worker sends it again under its id (${rounds} rounds)`,
    { timeout: 180_000 + rounds * 60_000 },
    async () => {
      await using gallery = await openGallery();
      let kill = () => {};
      await using receiver = await openKiller(() => kill());
      const postgres = await emptyPostgres();
      {
        const env = { DARKROOM_ALLOW_HOSTS: `${gallery.host},${receiver.host}` };
        await using house = await openCluster({ databaseUrl: postgres.url, env });
        // Whoever it is that sends: the row knows.
        const deaths: Promise<void>[] = [];
        kill = () => {
          const dying = (async () => {
            const [row] = await house.ask<{ pid: number }>(
              `select w.pid from deliveries d join workers w on w.id = d.worker where d.state = 'sending'`,
            );
            const carrier = [...house.workers].find(({ pid }) => pid === row?.pid);
            if (carrier) await house.lose(carrier);
          })();
          deaths.push(dying);
        };
        await Promise.all([house.hire(), house.hire()]);
        for (let round = 1; round <= rounds; round += 1) {
          const id = await house.submit([gallery.url(round)], { webhook: receiver.url });
          await expect.poll(() => deaths.length, patience).toBe(round);
          await deaths.at(-1);
          await house.hire();
          const state = () => house.ask('select state from deliveries where batch_id = $1', [id]);
          await expect.poll(state, patience).toEqual([{ state: 'delivered' }]);
          expectSameId(receiver.idsOf(id));
        }
        tellFigures('fault 49, PostgreSQL, sent again after', {
          rounds,
          seconds: receiver.seconds,
          lost: rounds - receiver.seconds.length,
        });
        expect(receiver.seconds).toHaveLength(rounds);
        expect(await house.lost(rounds)).toBe(0);
      }
      await postgres.drop();
    },
  );
});
