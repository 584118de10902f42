// deadline.ts — one signal for the two ways a request is cut off: its time is up, or the caller no longer wants it.

import { problem } from '../problem.ts';

export type Deadline = { signal: AbortSignal; end(): void };

/** Aborts with `timeout` after `ms`, or with the caller's own reason. `end` must be called, or the timer stays. */
export function openDeadline(ms: number, caller?: AbortSignal): Deadline {
  const controller = new AbortController();
  const follow = () => controller.abort(caller?.reason);
  const timer = setTimeout(() => controller.abort(problem('timeout')), ms);
  // A signal that fired while we waited for our turn will not fire again.
  if (caller?.aborted) follow();
  caller?.addEventListener('abort', follow, { once: true });
  return {
    signal: controller.signal,
    end() {
      clearTimeout(timer);
      caller?.removeEventListener('abort', follow);
    },
  };
}
