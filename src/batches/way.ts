// way.ts — the way of one image: source, known result or slot, storage; and what each fault on it means.
//
// Two stages with a buffer between: sources are fetched ahead while every slot decodes. The bounds are in downloads and
// slots; this file is the order in which they are passed.

import { availableParallelism } from 'node:os';
import type { App } from '../app.ts';
import { isKnownStep } from '../imaging/boxes.ts';
import { problem } from '../problem.ts';
import type { Claimed } from './claim.ts';
import { openDownloads } from './downloads.ts';
import { parkedWaits } from './hosts.ts';
import { isHouseFault, outcomeOf, Parked } from './outcome.ts';
import { openReuse, type Reuse } from './reuse.ts';
import type { Outcome } from './settle.ts';
import { openSlots } from './slots.ts';
import { bringSource } from './source.ts';
import { storeRenditions } from './store.ts';

export type Way = {
  /** Takes the image along its way; never rejects. */
  outcomeOf(item: Claimed): Promise<Outcome>;
  readonly busy: number;
  /** For how long nothing should be claimed because of a fault of our own house; 0 = claim. */
  pausedMs(): number;
};

type Needs = Pick<App, 'db' | 'storage' | 'egress' | 'sandbox' | 'config' | 'log'>;

const firstPauseMs = 1_000;
const longestPauseMs = 30_000;

/** `fetching` ends what is in no slot, `rendering` kills what is in one. */
export function openWay(app: Needs, { fetching, rendering }: { fetching: AbortSignal; rendering: AbortSignal }): Way {
  const { slots: slotCount, fetches, attempts } = app.config;
  const slots = openSlots(slotCount);
  const downloads = openDownloads({ most: Math.min(4 * slotCount, fetches), cores: availableParallelism() });
  const reuse = openReuse(app);
  const waits = parkedWaits(app);
  const pause = openPause();

  async function walk(item: Claimed): Promise<Outcome> {
    refuseNewer(item);
    const began = performance.now();
    const place = { lane: item.lane, signal: fetching };
    const { source, free } = await downloads.run(() => bringSource(app, item, fetching), place);
    try {
      const fetchMs = performance.now() - began;
      const known = await findKnown(app, reuse, item, source.sha256);
      if (known) return known;
      const leave = await slots.enter({ lane: item.lane, bytes: source.bytes }, fetching);
      const job = { id: item.id, chunks: source.chunks, bytes: source.bytes, renditions: item.renditions };
      const made = await app.sandbox.render(job, { signal: rendering }).finally(leave);
      const storing = performance.now();
      const renditions = await storeRenditions(app, item, made.renditions, source.sha256);
      const { mediaType, width, height } = made.source;
      return {
        kind: 'succeeded',
        source: { sha256: source.sha256, mediaType, bytes: source.bytes, width, height },
        renditions,
        warnings: [...new Set([...made.warnings, ...made.renditions.flatMap((each) => each.warnings)])],
        timings: { waiting: item.waitedMs, fetch: fetchMs, ...made.ms, store: performance.now() - storing },
      };
    } finally {
      free();
    }
  }

  async function judge(error: unknown, item: Claimed): Promise<Outcome> {
    if (error instanceof Parked)
      return { kind: 'park', waitMs: await waits.reserve(error.host, error.waitMs), host: error.host };
    const outcome = outcomeOf(error, attempts - item.attemptsLeft);
    if (isHouseFault(error)) {
      pause.lengthen();
      app.log.warn({ image: item.id, err: error, pauseMs: pause.leftMs() }, 'a fault of our own house: claims pause');
    } else if (outcome.kind === 'retry' && outcome.code === 'internal') {
      app.log.error({ image: item.id, err: error }, 'an image failed in a way nobody foresaw');
    }
    return outcome;
  }

  return {
    async outcomeOf(item) {
      try {
        const outcome = await walk(item);
        pause.forget();
        return outcome;
      } catch (error) {
        // Asking for a place at the host needs the database; without it the host's own pause has to do.
        return judge(error, item).catch(() => outcomeOf(error, attempts - item.attemptsLeft));
      }
    },
    get busy() {
      return slots.busy;
    },
    pausedMs: pause.leftMs,
  };
}

/** A newer API may take in what this worker has no operation for: given back, it falls to a worker of that release. */
function refuseNewer({ renditions }: Claimed): void {
  const strange = renditions.flatMap(({ recipe }) => recipe.ops).find((step) => !isKnownStep(step));
  if (!strange) return;
  const cause = new Error(`The operation ${strange.op} is of a newer release: this worker must be updated.`);
  throw problem('sandbox_unavailable', {}, { cause });
}

/** Without an answer of the database the image is worked on as if nobody had asked. */
async function findKnown(app: Needs, reuse: Reuse, item: Claimed, sha256: Buffer): Promise<Outcome | undefined> {
  try {
    return await reuse.find(item, sha256);
  } catch (error) {
    app.log.warn({ image: item.id, err: error }, 'known results could not be looked up');
    return undefined;
  }
}

/** Doubles with each fault after a pause; all that were in hand when it came are one fault. */
function openPause() {
  let ms = 0;
  let until = 0;
  return {
    leftMs: () => Math.max(0, until - performance.now()),
    lengthen(): void {
      if (performance.now() < until) return;
      ms = Math.min(longestPauseMs, Math.max(firstPauseMs, ms * 2));
      until = performance.now() + ms;
    },
    forget(): void {
      ms = 0;
    },
  };
}
