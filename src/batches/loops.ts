// loops.ts — the two ways in which a worker waits: for the next turn of a clock, and for a bell.

import type { Logger } from 'pino';

/**
 * Runs `work` at once, every `ms` and when `bell` rings, until `signal` aborts. A failing turn is logged and the next one
 * comes as usual.
 */
export async function every(
  {
    ms,
    bell = openBell(),
    name,
    log,
    signal,
  }: { ms: number; bell?: Bell; name: string; log: Logger; signal: AbortSignal },
  work: () => Promise<unknown>,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await work();
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error, chore: name }, 'a chore failed and will be tried again');
    }
    await bell.wait(ms, signal);
  }
}

export type Bell = {
  ring(): void;
  /** Resolves at the next ring, after `ms`, or when `signal` aborts; a ring since the last wait counts. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
};

export function openBell(): Bell {
  let rung = false;
  let wake: (() => void) | undefined;
  return {
    ring() {
      rung = true;
      wake?.();
    },
    async wait(ms, signal) {
      if (rung || signal.aborted) {
        rung = false;
        return;
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      const done = () => resolve();
      const timer = setTimeout(done, ms);
      signal.addEventListener('abort', done, { once: true });
      await promise;
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      wake = undefined;
      rung = false;
    },
  };
}
