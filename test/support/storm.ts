// storm.ts — workers that live and die, people who cancel, retry and delete, all at once; and the calm after it.

import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { cancelBatch, deleteBatch, retryBatch } from '../../src/batches/change.ts';
import { claimImages, type Claimed } from '../../src/batches/claim.ts';
import { newId } from '../../src/batches/ids.ts';
import { closeStragglers, enterWorker, heartbeat, reapSilentWorkers, wakeWaiting } from '../../src/batches/reap.ts';
import { settleImages, type Outcome } from '../../src/batches/settle.ts';
import { Problem } from '../../src/problem.ts';
import { doChore } from './batches.ts';
import { ended, failure, retry, success, type House } from './house.ts';

export type Chance = (below: number) => number;

/** Says whether a storm is over. */
export type Over = () => boolean;

/** A storm of `ms`, and on a slow machine up to five times that, until everything that should happen in it has. */
export function lasting(ms: number, happened: () => boolean): Over {
  const start = Date.now();
  return () => Date.now() - start > (happened() ? ms : 5 * ms);
}

export function seeded(seed: number): Chance {
  let state = seed;
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    // The low bits of such a generator repeat after a few numbers.
    return Math.floor((state / 2_147_483_648) * below);
  };
}

/** Claims and settles with all outcomes; now and then it dies with all it holds, and sometimes a late settle follows. */
export async function workUntil(house: House, over: Over, chance: Chance): Promise<void> {
  while (!over()) {
    const worker = newId();
    await enterWorker(house.app, { id: worker, version: 'test', slots: 1 });
    for (let turn = 0; turn < 30 && !over(); turn += 1) {
      const claimed = await claimImages(house.app, { worker, lanes: [0, 2], limit: 20 });
      if (claimed.length === 0) await sleep(20);
      if (chance(40) === 0) {
        await house.silence(worker);
        if (chance(2) === 0)
          await settleImages(
            house.app,
            worker,
            claimed.map((item) => ended(item, success())),
          );
        break;
      }
      await sleep(chance(10));
      await settleImages(
        house.app,
        worker,
        claimed.map((item) => ended(item, someOutcome(chance))),
      );
    }
    await house.silence(worker);
  }
}

function someOutcome(chance: Chance): Outcome {
  const outcomes = [
    success(),
    success(),
    success(),
    failure('not_found'),
    retry('timeout', 5),
    { kind: 'release' },
  ] as const;
  return outcomes[chance(outcomes.length)]!;
}

export async function disturbUntil(house: House, ids: string[], over: Over, chance: Chance): Promise<void> {
  const allowed = new Set(['batch_running', 'nothing_to_retry', 'not_found']);
  const acts = [
    (id: string) => cancelBatch(house.app, id),
    (id: string) => retryBatch(house.app, id, {}),
    (id: string) => retryBatch(house.app, id, { codes: ['not_found'] }),
    (id: string) => (chance(15) === 0 ? deleteBatch(house.app, id, { cancel: true }) : undefined),
    (id: string) => deleteByHand(house, id, chance(30)),
    () => reapSilentWorkers(house.app, newId()),
    () => wakeWaiting(house.app),
    () => closeStragglers(house.app),
  ];
  while (!over()) {
    const act = acts[chance(acts.length)]!;
    try {
      await act(ids[chance(ids.length)]!);
    } catch (error) {
      if (!(error instanceof Problem) || !allowed.has(error.code)) throw error;
    }
    await sleep(chance(30));
  }
}

async function deleteByHand(house: House, id: string, from: number): Promise<void> {
  await house.app.db.transaction((tx) =>
    tx
      .deleteFrom('images')
      .where('batch_id', '=', id)
      .where('position', '>', from)
      .where('position', '<', from + 4)
      .execute(),
  );
}

export async function doChoresUntil(house: House, over: Over): Promise<void> {
  while (!over()) if (!(await doChore(house))) await sleep(30);
}

/** Lets everything run to its end: no more deaths, no more people. */
export async function calm(house: House): Promise<void> {
  const worker = newId();
  await enterWorker(house.app, { id: worker, version: 'test', slots: 1 });
  for (let quiet = 0; quiet < 3;) {
    await heartbeat(house.app, worker, 0);
    await sql`update workers set seen_at = now() - interval '1 minute' where id <> ${worker}`.execute(
      house.app.db.query,
    );
    const reaped = await reapSilentWorkers(house.app, worker);
    const woken = await sql`update images set run_at = null where run_at is not null`.execute(house.app.db.query);
    while (await doChore(house, worker));
    const claimed: Claimed[] = await claimImages(house.app, { worker, lanes: [0, 2], limit: 500 });
    await settleImages(
      house.app,
      worker,
      claimed.map((item) => ended(item, success())),
    );
    await closeStragglers(house.app);
    quiet = reaped + claimed.length + Number(woken.numAffectedRows ?? 0) > 0 ? 0 : quiet + 1;
  }
}
