// work.ts — the life of a worker: claim, fetch, transform, store, settle, until it is told to stop.
//
// Beside the claims run its heartbeat, the housekeeping that every worker does for all, and webhooks. A worker that was
// declared dead drops everything it holds and goes on under a new id.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { App } from '../app.ts';
import { releaseDeliveries } from '../notify/claim.ts';
import type { ComposeWebhook } from '../notify/notify.ts';
import { openTeller, type Teller } from '../notify/running.ts';
import { deliverWebhooks } from '../notify/webhooks.ts';
import type { Lane } from '../queue/queue.ts';
import { releaseChores } from './chores.ts';
import { claimImages, type KnownBatches } from './claim.ts';
import { keepHouse, startHeart } from './housekeeping.ts';
import { newId } from './ids.ts';
import { openBell, type Bell } from './loops.ts';
import { openPipeline, type Pipeline } from './pipeline.ts';
import { declareOthersDead, enterWorker, leaveWorker, type WorkerRow } from './reap.ts';
import { openTickets, type Tickets } from './tickets.ts';

export type WorkerOptions = { version: string; compose: ComposeWebhook; signal: AbortSignal };

/** Rung when work may have come: notifications are hints, so all who listen also look by the clock. */
type WorkBells = { claims: Bell; tickets: Bell; chores: Bell };

type Wake = (hear: () => void) => () => void;

/** New, woken and reaped images ring the bell; the clock is for a notification that got lost. */
const pollMs = 1_000;

/** Works until `signal` aborts, then drains: slots finish, everything else is put back. */
export async function runWorker(app: App, options: WorkerOptions): Promise<void> {
  const bells: WorkBells = { claims: openBell(), tickets: openBell(), chores: openBell() };
  const silence = await app.db.listen('work', () => {
    for (const bell of Object.values(bells)) bell.ring();
  });
  const due = new Set<() => void>();
  const quiet = await app.db.listen('deliveries', () => due.forEach((hear) => hear()));
  const wakeDeliveries: Wake = (hear) => {
    due.add(hear);
    return () => void due.delete(hear);
  };
  const teller = await openTeller(app.db, app.log);
  try {
    while (!options.signal.aborted) await liveOnce(app, options, { bells, teller, wakeDeliveries });
  } finally {
    await teller.close();
    await quiet();
    await silence();
  }
}

/** One life under one id: ends when the worker shall stop, or learns that it was declared dead. */
async function liveOnce(
  app: App,
  { version, compose, signal }: WorkerOptions,
  { bells, teller, wakeDeliveries }: { bells: WorkBells; teller: Teller; wakeDeliveries: Wake },
): Promise<void> {
  const worker = newId();
  const log = app.log.child({ worker });
  const dead = new AbortController();
  const over = AbortSignal.any([signal, dead.signal]);
  const drained = new AbortController();
  await enterSurely(app, { id: worker, version, slots: app.config.slots }, log, signal);

  const appetite: Appetite = { more: true };
  const onRoom = () => {
    if (appetite.more && isHalfEmpty(pipeline)) bells.claims.ring();
    tickets.onRoom();
  };
  const pipeline = openPipeline(app, {
    worker,
    onRoom,
    dead: dead.signal,
    tell: teller.tell,
    noted: app.metrics.image,
  });
  const fit = async () => pipeline.pausedMs() === 0 && (await isFit(app));
  const tickets = openTickets(app, { worker, hand: pipeline, fit, bell: bells.tickets, log, signal: over });
  // It beats to the end of the drain, or a long drain would look like a death.
  const beating = AbortSignal.any([drained.signal, dead.signal]);
  const died = () => dead.abort();
  const heart = startHeart(app, { worker, busy: () => pipeline.busy, died, log, signal: beating });
  log.info({ slots: app.config.slots }, 'worker started');
  const beside = Promise.all([
    keepHouse(app, { worker, pipeline, heart, bell: bells.chores, log, signal: over }),
    deliverWebhooks(app, { worker, compose, signal: over, wake: wakeDeliveries, noted: app.metrics.delivery }),
    tickets.done,
  ]);
  await claimLoop(app, pipeline, { worker, appetite, tickets, bell: bells.claims, log, signal: over });
  await tickets.taken;
  await pipeline.stop(app.config.drainMs);
  await beside;
  drained.abort();
  await heart.done;
  if (dead.signal.aborted) return log.warn('worker was declared dead and goes on under a new id');
  await releaseChores(app, worker);
  await releaseDeliveries(app.db, worker);
  await leaveWorker(app, worker);
  log.info('worker stopped');
}

/** Enters the table of the living, however long the database is away. */
async function enterSurely(app: App, row: WorkerRow, log: Logger, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      if (app.db.engine === 'pglite') await declareOthersDead(app, row.id);
      return await enterWorker(app, row);
    } catch (error) {
      log.warn({ err: error }, 'the worker could not be entered yet');
      await sleep(1_000, undefined, { signal }).catch(() => {});
    }
  }
}

/** Whether more may be waiting than was claimed. Without, room alone is no reason to ask: what comes rings the bell. */
type Appetite = { more: boolean };
type ClaimOptions = {
  worker: string;
  appetite: Appetite;
  tickets: Tickets;
  bell: Bell;
  log: Logger;
  signal: AbortSignal;
};

async function claimLoop(
  app: App,
  pipeline: Pipeline,
  { worker, appetite, tickets, bell, log, signal }: ClaimOptions,
): Promise<void> {
  const known: KnownBatches = new Map();
  // Taken in hand at once: what a later claim of the same turn throws must not lose what this one got.
  const claim: Claim = async (lanes, limit) => {
    if (limit <= 0) return 0;
    const claimed = await claimImages(app, { worker, lanes, limit, known });
    pipeline.take(claimed);
    return claimed.length;
  };
  let suspects = false;
  for (let turn = 0; !signal.aborted; turn += 1) {
    let claimed = 0;
    try {
      if (tickets.claims() && pipeline.pausedMs() === 0 && (await isFit(app))) {
        // Where one suspect was there may be more; without any they are asked for now and then.
        const { suspects: room } = pipeline.room();
        if (room > 0 && (suspects || turn % 8 === 7)) suspects = (await claim([2, 2], room)) > 0;
        claimed = await claimTurn(pipeline, { claim, turn, appetite });
        appetite.more ||= suspects;
      }
    } catch (error) {
      log.warn({ err: error }, 'images could not be claimed');
    }
    // Only somebody interactive could be claimed beside a full hand, and the bell tells of them.
    if (claimed > 0 && appetite.more && isHalfEmpty(pipeline)) continue;
    await bell.wait(Math.max(pollMs, pipeline.pausedMs()), signal);
    appetite.more = true;
  }
}

/** Whether results could be made and kept at all; without that nothing is claimed. */
async function isFit({ storage, sandbox }: App): Promise<boolean> {
  return sandbox.healthy().ok && (await storage.room()).ok;
}

type Claim = (lanes: [Lane, Lane], limit: number) => Promise<number>;

/**
 * Of eight turns one takes bulk alone, so that small batches cannot starve it, and the others take the lanes in order.
 * What a turn leaves free falls to the lanes in order. Returns how many images were claimed.
 */
async function claimTurn(
  pipeline: Pipeline,
  { claim, turn, appetite }: { claim: Claim; turn: number; appetite: Appetite },
): Promise<number> {
  let claimed = 0;
  if (turn % 8 === 6) claimed += await claim([1, 1], Math.floor(pipeline.room().bulk / 2));
  if (!isHalfEmpty(pipeline)) return claimed + (await claim([0, 0], pipeline.room().interactive));
  const room = pipeline.room().bulk;
  const got = await claim([0, 1], room);
  // Fewer than there was room for: nothing else waits in these lanes.
  appetite.more = got === room;
  if (claimed + got > 0) return claimed + got;
  const { suspects: place } = pipeline.room();
  const suspects = await claim([2, 2], place);
  // Behind a suspect in hand others may be waiting.
  appetite.more = suspects === place;
  return suspects;
}

/** Bulk is claimed by the half hand: a claim for every single image would cost more than the image's own settle. */
function isHalfEmpty(pipeline: Pipeline): boolean {
  return pipeline.room().bulk >= pipeline.inHand;
}
