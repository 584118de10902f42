// sandbox.ts — where bytes from outside are decoded: a pool of child processes that can be killed.
//
// One image at a time in each child, so a kill costs one image. A child that crashes is given the image once more, in a
// fresh process; time and memory are final. The rest of the house sees one function that gives renditions or a Problem.

import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import { problem } from '../problem.ts';
import { megapixelsFor, openBudget } from './budget.ts';
import { type Child, ChildEnded } from './child-process.ts';
import { talk } from './conversation.ts';
import { sniff, sniffBytes } from './formats.ts';
import type { Format, Rendering, Sandbox, SandboxJob } from './imaging.ts';
import { openSlot, type Slot } from './slot.ts';

export type SandboxOptions = {
  slots: number;
  maxPixels: number;
  maxSide: number;
  maxOutputSide: number;
  imageTimeMs: number;
  imageMemory: number;
  log: Pick<Logger, 'warn' | 'error' | 'debug'>;
  /** Start no child before the first image. */
  lazy?: boolean;
  /** Megapixels in work at once; by default what the memory left to this process allows. */
  megapixels?: number;
  /** For tests: what the children run. */
  childScript?: string;
};

const startsCountMs = 10_000;
const failedStartsAllowed = 3;

/** Starts the children and waits for the first. A sandbox whose children do not start is open all the same, and says so. */
export async function openSandbox(options: SandboxOptions): Promise<Sandbox> {
  const { log, slots: count } = options;
  const script = options.childScript ?? fileURLToPath(new URL('./child.ts', import.meta.url));
  const budget = openBudget(options.megapixels ?? megapixelsFor(process.availableMemory()));
  const starts = countFailedStarts(log);
  const slots = Array.from({ length: count }, () => openSlot({ script, onStart: starts.note }));
  const line = waitingLine(slots);
  let closed = false;

  const once = async (slot: Slot, job: SandboxJob, format: Format, signal?: AbortSignal): Promise<Rendering> => {
    const child = await unlessAborted(readyChild(slot, starts), signal);
    return talk({ child, job, format, limits: options, budget }, signal);
  };

  if (!options.lazy) await Promise.any(slots.map((slot) => slot.child())).catch(() => {});
  return {
    slots: count,
    async render(job, { signal } = {}) {
      const { format } = sniff(headOf(job.chunks));
      if (starts.tooMany() || closed) throw problem('sandbox_unavailable');
      const slot = await line.enter(signal);
      try {
        return await twiceIfCrashed(
          () => once(slot, job, format, signal),
          (error) =>
            log.warn(
              { image: job.id, pid: slot.pid(), err: error.message },
              'sandbox child crashed, image is tried again',
            ),
        );
      } catch (error) {
        signal?.throwIfAborted();
        throw error instanceof ChildEnded ? problemOf(error) : error;
      } finally {
        line.leave(slot);
        slot.settle();
      }
    },
    healthy() {
      if (closed) return { ok: false, detail: 'closed' };
      return starts.tooMany() ? { ok: false, detail: `sandbox children do not start: ${starts.last()}` } : { ok: true };
    },
    children: () =>
      slots.filter((slot) => slot.pid() > 0).map((slot) => ({ pid: slot.pid(), busy: slot.busy, done: slot.served() })),
    async close() {
      closed = true;
      starts.stop();
      await Promise.all(slots.map((slot) => slot.close()));
    },
  };
}

async function twiceIfCrashed<T>(run: () => Promise<T>, onCrash: (error: ChildEnded) => void): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof ChildEnded) || error.ending !== 'crashed') throw error;
    onCrash(error);
    return run();
  }
}

/** A child that takes long to start holds nobody who has been told to stop; the slot keeps it for the next image. */
async function unlessAborted(starting: Promise<Child>, signal?: AbortSignal): Promise<Child> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal?.reason);
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([starting, aborted.promise]);
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

/** A child of this slot that is ready. A start that fails is tried again until there were too many. */
async function readyChild(slot: Slot, starts: FailedStarts): Promise<Child> {
  for (;;) {
    try {
      return await slot.child();
    } catch (error) {
      if (error instanceof ChildEnded && error.ending === 'closed') throw problem('sandbox_unavailable');
      if (starts.tooMany()) throw problem('sandbox_unavailable', {}, { cause: error });
    }
  }
}

function problemOf(ended: ChildEnded) {
  const facts = { cause: ended };
  if (ended.ending === 'timeout') return problem('decode_timeout', {}, facts);
  if (ended.ending === 'memory') return problem('decode_memory', {}, facts);
  if (ended.ending === 'closed') return problem('sandbox_unavailable', {}, facts);
  return problem('decoder_crashed', {}, facts);
}

type FailedStarts = ReturnType<typeof countFailedStarts>;

/** Remembers failed starts for ten seconds; three of them and no more are tried until they are forgotten. */
function countFailedStarts(log: SandboxOptions['log']) {
  let failed: number[] = [];
  let last = '';
  return {
    note(ok: boolean, detail: string) {
      if (ok) failed = [];
      else {
        failed.push(performance.now());
        last = detail;
        log.error({ err: detail }, 'a sandbox child did not start');
      }
    },
    tooMany(): boolean {
      failed = failed.filter((at) => performance.now() - at < startsCountMs);
      return failed.length >= failedStartsAllowed;
    },
    last: () => last,
    stop() {
      failed = [];
    },
  };
}

/** First come, first served: free slots go to whoever waits longest. */
function waitingLine(slots: Slot[]) {
  const free = [...slots];
  const waiting: ((slot: Slot) => void)[] = [];
  return {
    enter(signal?: AbortSignal): Promise<Slot> {
      if (signal?.aborted) return Promise.reject(signal.reason);
      const slot = free.shift();
      if (slot) {
        slot.busy = true;
        return Promise.resolve(slot);
      }
      const { promise, resolve, reject } = Promise.withResolvers<Slot>();
      const leave = () => {
        waiting.splice(waiting.indexOf(take), 1);
        reject(signal?.reason);
      };
      const take = (given: Slot) => {
        signal?.removeEventListener('abort', leave);
        given.busy = true;
        resolve(given);
      };
      signal?.addEventListener('abort', leave, { once: true });
      waiting.push(take);
      return promise;
    },
    leave(slot: Slot): void {
      slot.busy = false;
      const take = waiting.shift();
      if (take) take(slot);
      else free.push(slot);
    },
  };
}

/** The first bytes, from however many chunks hold them. */
function headOf(chunks: readonly Buffer[]): Buffer {
  const first = chunks[0] ?? Buffer.alloc(0);
  if (first.length >= sniffBytes || chunks.length <= 1) return first.subarray(0, sniffBytes);
  const head: Buffer[] = [];
  let length = 0;
  for (const chunk of chunks) {
    if (length >= sniffBytes) break;
    head.push(chunk.subarray(0, sniffBytes - length));
    length += chunk.length;
  }
  return Buffer.concat(head);
}
