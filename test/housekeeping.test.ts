// What a worker does for all others: whom it takes for dead, and how it holds what kills.

import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { describe, expect, test, vi } from 'vitest';
import type { App } from '../src/app.ts';
import { keepHouse } from '../src/batches/housekeeping.ts';
import { newId } from '../src/batches/ids.ts';
import { openBell } from '../src/batches/loops.ts';
import type { Pipeline } from '../src/batches/pipeline.ts';
import type { Egress } from '../src/egress/egress.ts';
import { openHosts } from '../src/egress/hosts.ts';
import { openDatabaseQueue } from '../src/queue/database.ts';
import { databaseEngines, onEachDatabase, silent } from './support/databases.ts';
import { openGatedWorker } from './support/gated-worker.ts';
import { openHouse, type House } from './support/house.ts';

const patience = { timeout: 20_000 };

/** Housekeeping of a worker whose heart has beaten without a gap for `steadyMs`. */
function keepHouseOf(house: House) {
  const ending = new AbortController();
  // Of the way out and of the pipeline only this much is asked here.
  const egress = { hosts: openHosts({ connections: 8, now: () => Date.now() }) } as Egress;
  const pipeline = { held: () => [] as string[], settled: 0 } as unknown as Pipeline;
  const app = { ...house.app, queue: openDatabaseQueue(), egress } as unknown as App;
  const state = { steadyMs: 0 };
  const heart = { steadyMs: () => state.steadyMs, done: Promise.resolve() };
  const options = { worker: newId(), pipeline, heart, bell: openBell(), log: silent, signal: ending.signal };
  const done = keepHouse(app, options);
  return Object.assign(state, {
    async [Symbol.asyncDispose]() {
      ending.abort();
      await done;
    },
  });
}

// Embedded there is nobody else: whoever holds the directory is alone.
describe.skipIf(!databaseEngines.includes('postgres'))('a worker on PostgreSQL', () => {
  test('declares nobody dead before its own heart has beaten for long enough', async () => {
    await using house = await openHouse('postgres');
    const silentOne = newId();
    await house.submitMany(1);
    const [item] = await house.claimAs(silentOne, 1);
    await house.silence(silentOne);
    // A round is over when what it does after the reaping has been done.
    const waiting = await house.submitMany(1);
    const rounds = async () => {
      await sql`update images set run_at = now() where batch_id = ${waiting.id}`.execute(house.app.db.query);
      await vi.waitFor(async () => expect((await house.images(waiting.id))[0]?.run_at).toBeNull(), patience);
    };
    await using keeping = keepHouseOf(house);
    for (let round = 0; round < 2; round += 1) await rounds();
    expect(await house.image(item!.id)).toMatchObject({ state: 'running', worker: silentOne, strikes: 0 });
    keeping.steadyMs = 60_000;
    await vi.waitFor(
      async () => expect(await house.image(item!.id)).toMatchObject({ state: 'queued', strikes: 1 }),
      patience,
    );
  });
});

onEachDatabase((engine) => {
  test('suspects are worked on one at a time, however many slots are free', async () => {
    await using house = await openHouse(engine);
    const suspects = await house.submitMany(3);
    await sql`update images set lane = 2, strikes = 1`.execute(house.app.db.query);
    await using worker = await openGatedWorker(house, { queue: openDatabaseQueue(), slots: 3 });
    await vi.waitFor(() => expect(worker.begun.length).toBe(1), patience);
    // Others go on beside it, and whoever looks for them finds no second suspect.
    for (let n = 1; n <= 3; n += 1) {
      const { id } = await house.submit([{ source: { url: `https://person.example/${n}.jpg` } }]);
      await vi.waitFor(async () => expect((await house.images(id))[0]?.state).toBe('running'), patience);
      await sleep(10);
    }
    const states = (await house.images(suspects.id)).map(({ state }) => state);
    expect(states.filter((state) => state === 'running')).toHaveLength(1);
  });
});
