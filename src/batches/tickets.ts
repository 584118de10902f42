// tickets.ts — takes in hand the images whose tickets come from a broker.
//
// A ticket waits here until there is room, then its image is started in the database and the ticket is done: from then on
// the row says who works. Starts are gathered, because one statement for ten costs little more than for one. A worker that
// stops puts the images of its unused tickets back, so that nobody has to miss them first.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Uses } from '../app.ts';
import { lanes, type Lane, type Ticket } from '../queue/queue.ts';
import { startImages, type KnownBatches } from './claim.ts';
import { openBell, type Bell } from './loops.ts';
import type { Pipeline } from './pipeline.ts';
import { putBack, relayTickets, watchBroker } from './relay.ts';

const gatherMs = 5;
const pollMs = 1_000;

export type TicketOptions = {
  worker: string;
  hand: Pick<Pipeline, 'room' | 'inHand' | 'take'>;
  /** Whether anything may be started at all. */
  fit: () => Promise<boolean>;
  /** Rings when images may have become due. */
  bell: Bell;
  log: Logger;
  signal: AbortSignal;
};

export type Tickets = {
  /** Whether images are to be claimed from the database: always without a broker, else while it is away. */
  claims(): boolean;
  /** To be called when an image has left the hand. */
  onRoom(): void;
  /** Resolves when nothing more will be taken in hand. */
  taken: Promise<void>;
  /** Resolves when the broker has been left. */
  done: Promise<unknown>;
};

const none: Tickets = { claims: () => true, onRoom: () => {}, taken: Promise.resolve(), done: Promise.resolve() };

/** Sends and takes tickets until `signal` aborts; without a broker there is nothing to do. */
export function openTickets(app: Uses<'db' | 'queue' | 'config'>, options: TicketOptions): Tickets {
  if (!app.queue.carriesTickets) return none;
  const { bell, log, signal } = options;
  const broker = watchBroker(app, log, signal);
  const relaying = relayTickets(app, { bell, broker, log, signal });
  const room = openBell();
  const taking = openTaking(app, options, room);
  return {
    claims: broker.isAway,
    onRoom: room.ring,
    taken: taking.taken,
    done: Promise.all([broker.done, relaying, taking.consumed]),
  };
}

type Held = { id: string; done: () => void };

function openTaking(app: Uses<'db' | 'queue' | 'config'>, options: TicketOptions, room: Bell) {
  const { worker, hand, fit, bell, log, signal } = options;
  const held: Record<Lane, Held[]> = { 0: [], 1: [], 2: [] };
  const known: KnownBatches = new Map();

  async function handle({ id, lane }: Ticket): Promise<void> {
    if (signal.aborted) return giveBack(app, [id], log);
    const { promise, resolve } = Promise.withResolvers<void>();
    held[lane].push({ id, done: resolve });
    room.ring();
    await promise;
  }

  async function startSome(): Promise<boolean> {
    if (wanted(held, hand).length === 0 || !(await fit())) return false;
    await sleep(gatherMs);
    const some = wanted(held, hand);
    hand.take(await startImages(app, { worker, ids: some.map(({ id }) => id), known }));
    forget(held, some);
    bell.ring(); // there is room in the window
    return true;
  }

  async function take(): Promise<void> {
    while (!signal.aborted) {
      try {
        if (await startSome()) continue;
      } catch (error) {
        log.warn({ err: error }, 'images could not be started');
        await sleep(pollMs, undefined, { signal }).catch(() => {});
      }
      await room.wait(pollMs, signal);
    }
    const left = lanes.flatMap((lane) => held[lane]);
    await giveBack(
      app,
      left.map(({ id }) => id),
      log,
    );
    forget(held, left);
  }

  const consuming = lanes.map((lane) =>
    app.queue
      .consume({ lane, limit: lane === 2 ? 1 : 2 * app.config.slots, signal }, handle)
      .catch((error: unknown) => log.error({ err: error, lane }, 'tickets of a lane can no longer be taken')),
  );
  return { taken: take(), consumed: Promise.all(consuming) };
}

/** What there is room for. As with claims, bulk is taken by the half hand. */
function wanted(held: Record<Lane, Held[]>, hand: TicketOptions['hand']): Held[] {
  const room = hand.room();
  const first = (lane: Lane, count: number) => held[lane].slice(0, Math.max(0, count));
  const bulk = room.bulk >= hand.inHand ? room.bulk : 0;
  return [...first(0, room.interactive), ...first(1, bulk), ...first(2, room.suspects)];
}

/** These tickets have done their work, whatever became of their images. */
function forget(held: Record<Lane, Held[]>, some: Held[]): void {
  const done = new Set(some);
  for (const lane of lanes) held[lane] = held[lane].filter((each) => !done.has(each));
  for (const each of some) each.done();
}

/** Without an answer of the database the tickets count as lost, and are found again. */
async function giveBack(app: Uses<'db'>, ids: string[], log: Logger): Promise<void> {
  try {
    await putBack(app, ids);
  } catch (error) {
    log.warn({ err: error, tickets: ids.length }, 'unused tickets were not put back and will be missed first');
  }
}
