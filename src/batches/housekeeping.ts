// housekeeping.ts — what a worker does beside its images: its heartbeat, and what every worker does for all.
//
// Every chore here may run in several workers at once and at any time again; what must not overlap is locked in the
// database by the chore itself. A failing turn is logged, and the next one comes as usual.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { App } from '../app.ts';
import { claimChore, releaseChore, runChore, type Chore } from './chores.ts';
import { shareHosts } from './hosts.ts';
import { every, type Bell } from './loops.ts';
import type { Pipeline } from './pipeline.ts';
import { prune } from './prune.ts';
import {
  closeStragglers,
  heartbeat,
  heartbeatMs,
  reapSilentWorkers,
  releaseStrays,
  silentMs,
  wakeWaiting,
} from './reap.ts';
import { findLostTickets } from './relay.ts';
import { emptyTrash, scrubStorage } from './sweep.ts';
import { takeTurn } from './turns.ts';

const housekeepingMs = 2_000;
const sweepMs = 10_000;
const pruneMs = 600_000;
const scrubMs = 7 * 86_400_000;
/** How often a worker asks whether it is its turn. */
const turnsMs = 60_000;
const hostsMs = 1_000;
const choreMs = 2_000;
const choresAtOnce = { pglite: 1, postgres: 2 };
const straysMs = 5_000;

export type Heart = {
  /** For how long it has beaten without a gap, in ms. */
  steadyMs(): number;
  /** Ends when its signal aborts. */
  done: Promise<void>;
};

/** Beats until `signal` aborts. `died` is called when the worker turns out to have been declared dead. */
export function startHeart(
  app: App,
  {
    worker,
    busy,
    died,
    log,
    signal,
  }: { worker: string; busy: () => number; died: () => void; log: Logger; signal: AbortSignal },
): Heart {
  let since = performance.now();
  let last = since;
  const done = every({ name: 'heartbeat', ms: heartbeatMs, log, signal }, async () => {
    if (!(await heartbeat(app, worker, busy()))) return died();
    const now = performance.now();
    if (now - last > 2 * heartbeatMs) since = now;
    last = now;
  });
  // While it fails nothing is steady: after a restart of the database the housekeeper may be back before the heart is.
  const steadyMs = () => (performance.now() - last > 2 * heartbeatMs ? 0 : last - since);
  return { steadyMs, done };
}

export type HouseOptions = {
  worker: string;
  pipeline: Pipeline;
  heart: Heart;
  /** Rings when there may be a chore. */
  bell: Bell;
  log: Logger;
  signal: AbortSignal;
};

/** Runs all chores by the clock until `signal` aborts. */
export async function keepHouse(app: App, options: HouseOptions): Promise<void> {
  const { worker, pipeline, heart, bell, log, signal } = options;
  const clock = (name: string, ms: number, work: () => Promise<unknown>) => every({ name, ms, log, signal }, work);
  const chores = openChores(app, options);
  await Promise.all([
    clock('housekeeping', housekeepingMs, () => lookAfterOthers(app, worker, heart)),
    clock('strays', straysMs, () => releaseStrays(app, worker, pipeline.held())),
    clock('maintenance', housekeepingMs, maintenance(app, pipeline)),
    clock('sweep', sweepMs, () => emptyTrash(app, signal)),
    clock('prune', turnsMs, async () => (await takeTurn(app, 'prune', pruneMs)) && prune(app, signal)),
    clock('scrub', turnsMs, async () => (await takeTurn(app, 'scrub', scrubMs)) && scrubStorage(app, signal)),
    // Embedded there is nobody to tell.
    app.db.engine === 'pglite' ? undefined : clock('hosts', hostsMs, () => shareHosts(app)),
    every({ name: 'chores', ms: choreMs, bell, log, signal }, chores.startSome),
  ]);
  await chores.done();
}

/**
 * Reaps the silent, wakes what has waited, finds images whose ticket got lost, closes what nobody closed. A worker judges others only after its own heart has
 * beaten without a gap for as long as silence takes: after a restart of the database everybody looks dead. Embedded there
 * is nobody else, and the lock on the directory proves it.
 */
async function lookAfterOthers(app: App, worker: string, heart: Heart): Promise<void> {
  if (app.db.engine === 'pglite' || heart.steadyMs() > silentMs) await reapSilentWorkers(app, worker);
  await wakeWaiting(app);
  await findLostTickets(app);
  await closeStragglers(app);
}

/** The chores over whole batches that this worker does, some at once; only one claim is under way at a time. */
function openChores(app: App, { worker, bell, log, signal }: HouseOptions) {
  const inHand = new Set<string>();
  const underWay = new Set<Promise<void>>();

  async function run(chore: Chore): Promise<void> {
    try {
      await runChore(app, chore, signal);
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error, batch: chore.batchId, chore: chore.kind }, 'a chore failed');
      // Not released while the database is away, it is claimed again because it is not in hand.
      await releaseChore(app, chore).catch(() => {});
      await sleep(choreMs, undefined, { signal }).catch(() => {});
    } finally {
      inHand.delete(chore.batchId);
      bell.ring();
    }
  }

  return {
    async startSome(): Promise<void> {
      while (!signal.aborted && inHand.size < choresAtOnce[app.db.engine]) {
        const chore = await claimChore(app, worker, inHand);
        if (!chore) return;
        inHand.add(chore.batchId);
        const done = run(chore).finally(() => underWay.delete(done));
        underWay.add(done);
      }
    },
    async done(): Promise<void> {
      await Promise.all(underWay);
    },
  };
}

const endsPerVacuum = 10_000;
const idleBeforeVacuumMs = 60_000;

/** PGlite has no autovacuum: after 10,000 ends, and when things have calmed down. */
function maintenance(app: App, pipeline: Pipeline): () => Promise<void> {
  let done = 0;
  let seen = 0;
  let changedAt = performance.now();
  return async () => {
    if (pipeline.settled !== seen) [seen, changedAt] = [pipeline.settled, performance.now()];
    const isIdle = performance.now() - changedAt > idleBeforeVacuumMs;
    if (seen === done || (seen - done < endsPerVacuum && !isIdle)) return;
    done = seen;
    await app.db.maintain();
  };
}
