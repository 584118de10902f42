// settling.ts — gathers the ends of images and writes them down in bundles, however long the database is away.
//
// A bundle costs little more than a single image, and nobody waits for the single image of a bulk batch: bulk gathers for
// half a second, or until the worker has nothing else to do. A person waits for an interactive one, and a suspect should be
// in hand for as short as can be.

import { setTimeout as sleep } from 'node:timers/promises';
import type { App } from '../app.ts';
import { keyOf } from '../storage/storage.ts';
import { bundle } from './bundle.ts';
import type { Claimed } from './claim.ts';
import { orphansOf, settleImages, type Outcome, type Settled } from './settle.ts';

export type Settling = {
  /** Writes the end of an image down; resolves when that is committed, or void. */
  settle(item: Claimed, outcome: Outcome): Promise<void>;
  /** Writes what has gathered without waiting for more. */
  hurry(): void;
  /** Resolves when everything is written. */
  flush(): Promise<void>;
  /** Images settled since the start, whatever the outcome. */
  readonly settled: number;
  /** Images settled per second over the last seconds. */
  rate(): number;
};

type Needs = Pick<App, 'db' | 'storage' | 'log'>;

const windows = { interactive: { ms: 20, most: 100 }, bulk: { ms: 500, most: 100 } };

/** `dead`: the results of `worker` are void. `leaving`: its time to drain is over. */
type Life = {
  worker: string;
  dead: AbortSignal;
  leaving: AbortSignal;
  /** Hears of each end that was written down. */
  noted?: Noted;
};

export type Noted = (item: Claimed, outcome: Outcome) => void;

export function openSettling(app: Needs, life: Life): Settling {
  const rate = openRate();
  let settled = 0;

  const settleSome = async (some: Settled[]): Promise<boolean[]> => {
    const done = await settleSurely(app, life, some);
    settled += done.size;
    rate.count(done.size);
    return some.map((each) => done.has(each.id));
  };
  const interactive = bundle(settleSome, windows.interactive);
  const bulk = bundle(settleSome, windows.bulk);

  return {
    async settle(item, outcome) {
      const { id, attempt, startedAt, lane } = item;
      const isOurs = await (lane === 1 ? bulk : interactive).add({ id, attempt, startedAt, outcome });
      if (isOurs) life.noted?.(item, outcome);
      else await dropFresh(app, outcome);
      logOutcome(app, item, outcome);
    },
    hurry() {
      interactive.start();
      bulk.start();
    },
    async flush() {
      await Promise.all([interactive.flush(), bulk.flush()]);
    },
    get settled() {
      return settled;
    },
    rate: rate.perSecond,
  };
}

const firstWaitMs = 100;
const longestWaitMs = 5_000;

/**
 * The ids that were settled. Results are whole and are not given up while the worker lives: none when it was declared
 * dead, and once it is `leaving`, after one try.
 */
async function settleSurely(app: Needs, life: Life, some: Settled[]): Promise<Set<string>> {
  for (let waitMs = firstWaitMs; !life.dead.aborted; waitMs = Math.min(longestWaitMs, waitMs * 2)) {
    try {
      return await settleImages(app, life.worker, some);
    } catch (error) {
      if (isRefused(error)) return settleApart(app, life, some, error);
      app.log.warn({ err: error, images: some.length }, 'results could not be settled yet');
      if (life.leaving.aborted) break;
      await sleep(waitMs, undefined, { signal: life.leaving }).catch(() => {});
    }
  }
  return new Set();
}

/** One result that the database will never take must not hold up the others; alone, it fails its image. */
async function settleApart(app: Needs, life: Life, some: Settled[], error: unknown): Promise<Set<string>> {
  const [first, ...others] = some;
  if (!first) return new Set();
  if (others.length > 0) {
    const parts = await Promise.all(some.map((each) => settleSurely(app, life, [each])));
    return new Set(parts.flatMap((part) => [...part]));
  }
  app.log.error({ image: first.id, err: error }, 'the database refuses a result');
  if (first.outcome.kind === 'failed') return new Set();
  const done = await settleSurely(app, life, [{ ...first, outcome: { kind: 'failed', code: 'internal' } }]);
  await dropFresh(app, first.outcome);
  return done;
}

/** SQLSTATE 22 and 23: the data are at fault, not the moment. */
function isRefused(error: unknown): boolean {
  return /^2[23]...$/.test(String((error as { code?: unknown }).code));
}

/** Removes files that no row names. A commit whose answer was lost has a row: its files stay. */
async function dropFresh(app: Needs, outcome: Outcome): Promise<void> {
  if (outcome.kind !== 'succeeded') return;
  const fresh = outcome.renditions.filter((each) => each.fresh).map((each) => each.file);
  try {
    await app.storage.remove((await orphansOf(app, fresh)).map(keyOf));
  } catch (error) {
    app.log.warn({ err: error, files: fresh.length }, 'files of a void result stay until the scrub');
  }
}

function logOutcome({ log }: Needs, item: Claimed, outcome: Outcome): void {
  const facts = { batch: item.batchId, image: item.id, attempt: item.attempt, outcome: outcome.kind };
  if (outcome.kind === 'failed') log.info({ ...facts, code: outcome.code, host: outcome.host }, 'image failed');
  else if (outcome.kind === 'retry')
    log.warn({ ...facts, code: outcome.code, host: outcome.host }, 'image is tried again');
  else log.debug(facts, 'image settled');
}

const rateWindowMs = 4_000;

function openRate() {
  const marks: { at: number; count: number }[] = [];
  return {
    count(count: number): void {
      marks.push({ at: performance.now(), count });
    },
    perSecond(): number {
      const from = performance.now() - rateWindowMs;
      while ((marks[0]?.at ?? Infinity) < from) marks.shift();
      return marks.reduce((sum, mark) => sum + mark.count, 0) / (rateWindowMs / 1000);
    },
  };
}
