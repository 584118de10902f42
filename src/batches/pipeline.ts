// pipeline.ts — the images a worker has in hand, and how many more it may take.
//
// What an image does is told in way.ts, how its end is written in settling.ts. An image counts as in hand until its outcome
// is known: those that only wait for their bundle must not keep others out. A suspect counts until its end is written.

import type { App } from '../app.ts';
import type { Teller } from '../notify/running.ts';
import type { Claimed } from './claim.ts';
import { findSameUrls } from './reuse.ts';
import type { Outcome } from './settle.ts';
import { openSettling, type Noted } from './settling.ts';
import { openTwins } from './twins.ts';
import { openWay } from './way.ts';

export type Pipeline = {
  /** How many more images of each kind may be claimed. */
  room(): { bulk: number; interactive: number; suspects: number };
  readonly inHand: number;
  /** The ids of all whose end is not written down yet. */
  held(): string[];
  readonly busy: number;
  /** Images settled since the start, whatever the outcome. */
  readonly settled: number;
  /** Starts the images on their way; returns at once. */
  take(claimed: Claimed[]): void;
  /** For how long nothing should be claimed because of a fault of our own house; 0 = claim. */
  pausedMs(): number;
  /** Puts back what is in no slot, lets slots finish for `drainMs`, then kills them, and settles everything. */
  stop(drainMs: number): Promise<void>;
};

type Needs = Pick<App, 'db' | 'storage' | 'egress' | 'sandbox' | 'config' | 'log'>;

/** `onRoom` is called whenever an image leaves; `dead` voids all in hand; `tell` tells who is at work. */
type Life = { worker: string; onRoom: () => void; dead: AbortSignal; tell: Teller['tell']; noted: Noted };

/** Of a larger batch nobody follows every image that begins. */
const largestTold = 1_000;

/** Opens the pipeline of one life of a worker. */
export function openPipeline(app: Needs, { worker, onRoom, dead, tell, noted }: Life): Pipeline {
  const inHand = new Map<string, Claimed>();
  const underWay = new Map<string, Promise<void>>();
  const stopping = new AbortController();
  const killing = new AbortController();
  const way = openWay(app, {
    fetching: AbortSignal.any([stopping.signal, dead]),
    rendering: AbortSignal.any([killing.signal, dead]),
  });
  const settling = openSettling(app, { worker, dead, leaving: killing.signal, noted });
  const leave = ({ id }: Claimed) => {
    inHand.delete(id);
    onRoom();
  };
  const twins = openTwins(async (item, outcome) => {
    if (item.lane !== 2) leave(item);
    const settled = settling.settle(item, outcome);
    if (outcome.kind === 'retry' && item.attemptsLeft > 0 && item.among <= largestTold)
      settled.then(
        () => tell({ retrying: [item.id] }),
        () => {},
      );
    if (inHand.size === 0) settling.hurry();
    await settled;
    // If the next suspect kills this process, what the last one did must have been written down.
    if (item.lane === 2) leave(item);
  });

  async function carry(item: Claimed, looked: Promise<Map<string, Outcome>>): Promise<void> {
    const known = (await looked).get(item.id);
    await twins.carry(item, known ? async () => known : way.outcomeOf);
  }

  return {
    room() {
      const most = handSize(app.config.slots, settling.rate());
      const lanes = Object.groupBy(inHand.values(), ({ lane }) => String(lane) as '0' | '1' | '2');
      const [interactive, bulk, suspects] = [lanes['0'] ?? [], lanes['1'] ?? [], lanes['2'] ?? []];
      return {
        bulk: most - bulk.length,
        interactive: most + 2 * app.config.slots - interactive.length - bulk.length,
        suspects: 1 - suspects.length,
      };
    },
    get inHand() {
      return inHand.size;
    },
    held: () => [...underWay.keys()],
    get busy() {
      return way.busy;
    },
    get settled() {
      return settling.settled;
    },
    take(claimed) {
      tell({ running: claimed.filter(({ among }) => among <= largestTold).map(({ id }) => id) });
      const looked = lookForTwins(app, claimed);
      for (const item of claimed) {
        inHand.set(item.id, item);
        const done = carry(item, looked)
          .catch((error: unknown) => app.log.error({ image: item.id, err: error }, 'an image was lost on its way'))
          .finally(() => underWay.delete(item.id));
        underWay.set(item.id, done);
      }
    },
    pausedMs: way.pausedMs,
    async stop(drainMs) {
      stopping.abort();
      const timer = setTimeout(() => killing.abort(), drainMs);
      while (underWay.size > 0) {
        if (inHand.size === 0) settling.hurry();
        await Promise.race(underWay.values());
      }
      clearTimeout(timer);
      await settling.flush();
    },
  };
}

/** Bulk images at once: half a second of work, but never so few that a slot would wait. */
function handSize(slots: number, perSecond: number): number {
  return Math.min(100, Math.max(4 * slots, Math.ceil(perSecond / 2)));
}

/** Finished images of the same batches with the same URLs; without an answer everything simply goes its own way. */
async function lookForTwins(app: Needs, claimed: Claimed[]): Promise<Map<string, Outcome>> {
  try {
    return await findSameUrls(app, claimed);
  } catch (error) {
    app.log.warn({ err: error }, 'finished twins could not be looked up');
    return new Map();
  }
}
