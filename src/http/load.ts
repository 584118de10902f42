// load.ts — tells when the event loop falls behind, so that the server says no before it stops answering at all.

import { monitorEventLoopDelay } from 'node:perf_hooks';

export type Load = { overloaded(): boolean; stop(): void };

/** Watches the mean delay of the event loop over the last second; one long pause alone is no overload. */
export function watchLoad(limitMs = 500, everyMs = 1000): Load {
  const histogram = monitorEventLoopDelay({ resolution: 20 });
  histogram.enable();
  let delayMs = 0;
  const timer = setInterval(() => {
    delayMs = Number.isNaN(histogram.mean) ? 0 : histogram.mean / 1e6;
    histogram.reset();
  }, everyMs).unref();
  return {
    overloaded: () => delayMs > limitMs,
    stop() {
      clearInterval(timer);
      histogram.disable();
    },
  };
}
