// Several workers, people and deaths at once: whatever happens, counters are the rows and every batch ends once.

import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { cancelBatch, retryBatch } from '../src/batches/change.ts';
import { claimChore, releaseChore, runChore } from '../src/batches/chores.ts';
import { newId } from '../src/batches/ids.ts';
import { closeStragglers, enterWorker } from '../src/batches/reap.ts';
import { settleImages } from '../src/batches/settle.ts';
import { openSettling } from '../src/batches/settling.ts';
import { catalogRows, cutConnections, doChore, findMistakes, never, submitCatalog } from './support/batches.ts';
import { databaseEngines } from './support/databases.ts';
import { ended, failure, openHouse, retry, success, type House } from './support/house.ts';
import { calm, disturbUntil, doChoresUntil, lasting, seeded, workUntil } from './support/storm.ts';

describe.skipIf(!databaseEngines.includes('postgres'))('races on PostgreSQL', () => {
  test('six workers, cancels, retries, deletions and deaths leave exact counters and one end a generation', async () => {
    await using house = await openHouse('postgres');
    const chance = seeded(7);
    const ids: string[] = [];
    for (let n = 0; n < 12; n += 1) ids.push((await house.submitMany(40 + 15 * n)).id);
    ids.push((await submitCatalog(house, catalogRows(2_500))).id);
    const over = lasting(8_000, () => true);
    const working = Array.from({ length: 6 }, () => workUntil(house, over, chance));
    const people = disturbUntil(house, ids, over, chance);
    const chores = Array.from({ length: 2 }, () => doChoresUntil(house, over));
    await Promise.all([...working, people, ...chores]);
    await calm(house);
    expect(await findMistakes(house.app.db)).toEqual([]);
    const { rows } = await sql<{ ended: number }>`select count(*) as ended from images where state <> 'queued'`.execute(
      house.app.db.query,
    );
    expect(Number(rows[0]!.ended)).toBeGreaterThan(500);
  });

  test('an image put back while its batch is being canceled is canceled, too', async () => {
    await using house = await openHouse('postgres');
    const worker = newId();
    const batch = await house.submitMany(1);
    const [item] = await house.claimAs(worker, 1);
    const held = Promise.withResolvers<void>();
    const holding = house.app.db.transaction(async (tx) => {
      await sql`select id from images where id = ${item!.id} for update`.execute(tx);
      await held.promise;
    });
    // The settle has begun before the cancellation, and waits for the row until after it.
    const settling = house.settleAs(worker, [ended(item!, retry('timeout'))]);
    await waitingForLocks(house, 1);
    await cancelBatch(house.app, batch.id);
    const cancelling = doChore(house);
    await cancelling;
    held.resolve();
    await Promise.all([holding, settling]);
    expect(await house.batch(batch.id)).toMatchObject({ state: 'canceled', counts: { canceled: 1 } });
  });

  test('a retry and a deletion by hand that meet both go through', async () => {
    await using house = await openHouse('postgres');
    const worker = newId();
    const { id } = await house.submitMany(2);
    const items = await house.claimAs(worker);
    await house.settleAs(
      worker,
      items.map((item) => ended(item, failure('not_found'))),
    );
    await retryBatch(house.app, id, {});
    const locked = Promise.withResolvers<void>();
    const deleting = house.app.db.transaction(async (tx) => {
      await sql`select id from images where batch_id = ${id} for update`.execute(tx);
      locked.resolve();
      await waitingForLocks(house, 1);
      await tx.deleteFrom('images').where('batch_id', '=', id).execute();
    });
    await locked.promise;
    let repeats = 0;
    const db = { ...house.app.db, transaction: countRuns(house, () => (repeats += 1)) };
    const retrying = doChore({ ...house, app: { ...house.app, db } });
    await Promise.all([deleting, retrying]);
    expect(repeats).toBeLessThanOrEqual(2);
    await closeStragglers(house.app);
    expect(await house.batch(id)).toMatchObject({ counts: { total: 0, failed: 0 } });
  });

  test('settles that meet in many batches wait for each other in one order, without a deadlock', async () => {
    await using house = await openHouse('postgres');
    const [rounds, workers] = [15, 5];
    for (let n = 0; n < 20; n += 1) await house.submitMany(rounds * workers);
    let runs = 0;
    const app = { ...house.app, db: { ...house.app.db, transaction: countRuns(house, () => (runs += 1)) } };
    const work = async () => {
      const worker = newId();
      for (let round = 0; round < rounds; round += 1) {
        const claimed = await house.claimAs(worker, 20, [1, 1]);
        await settleImages(
          app,
          worker,
          claimed.map((item) => ended(item, success())),
        );
      }
    };
    await Promise.all(Array.from({ length: workers }, work));
    // A deadlock would cost one of the two its work, and the database would run it again.
    expect(runs).toBe(rounds * workers);
  });

  test('an expansion whose connections are cut again and again inserts every row once', async () => {
    await using house = await openHouse('postgres');
    const batch = await submitCatalog(house, catalogRows(60_000));
    const worker = newId();
    await enterWorker(house.app, { id: worker, version: 'test', slots: 1 });
    let failures = 0;
    const cutting = (async () => {
      for (let cuts = 0; cuts < 12; cuts += 1) await sleep(40).then(() => cutConnections(house.app.db).catch(() => {}));
    })();
    for (let open = true; open;) {
      const chore = await claimChore(house.app, worker, new Set()).catch(() => undefined);
      try {
        if (chore) await runChore(house.app, chore, never);
      } catch {
        failures += 1;
        // The release may be lost like the rest; the next claim finds the chore in nobody's hand.
        if (failures % 2 === 0) await releaseChore(house.app, chore!).catch(() => {});
      }
      open = await house.batch(batch.id).then(
        ({ state }) => state === 'expanding',
        () => true,
      );
    }
    await cutting;
    expect(failures).toBeGreaterThan(2);
    const images = await house.images(batch.id);
    expect(images.map((image) => image.position)).toEqual(Array.from({ length: 60_000 }, (_, n) => n + 1));
  });

  test('results are settled once although every connection is cut while they are', async () => {
    await using house = await openHouse('postgres');
    const worker = newId();
    const batch = await house.submitMany(300);
    const items = await house.claimAs(worker, 300);
    const life = { worker, dead: never, leaving: never };
    const settling = openSettling(house.app, life);
    const cutting = (async () => {
      for (let cuts = 0; cuts < 60; cuts += 1) await sleep(5).then(() => cutConnections(house.app.db).catch(() => {}));
    })();
    const all = Promise.all(items.map((item) => settling.settle(item, success())));
    await Promise.all([all, cutting]);
    expect(await house.batch(batch.id)).toMatchObject({ state: 'succeeded', counts: { succeeded: 300 } });
    expect(await findMistakes(house.app.db)).toEqual([]);
  });
});

/** Waits until so many connections of this database wait for a lock. */
async function waitingForLocks(house: House, count: number): Promise<void> {
  await expect
    .poll(
      async () => {
        const { rows } = await sql<{ n: number }>`
          select count(*) as n from pg_stat_activity
          where datname = current_database() and wait_event_type = 'Lock'`.execute(house.app.db.query);
        return Number(rows[0]!.n);
      },
      { timeout: 10_000, interval: 10 },
    )
    .toBeGreaterThanOrEqual(count);
}

function countRuns(house: House, count: () => void): House['app']['db']['transaction'] {
  return (work, options) =>
    house.app.db.transaction((tx) => {
      count();
      return work(tx);
    }, options);
}
