// stalls.ts — notices when this process was not there for a while: stopped, or starved of its processor.
//
// Meanwhile time limits ran out and hosts hung up, and neither says anything about the host.

const everyMs = 250;
const noticedMs = 2000;

export type Stalls = {
  /** Whether the process has stood still for two seconds or more since `time`, as performance.now() tells it. */
  since(time: number): boolean;
  close(): void;
};

export function watchStalls(): Stalls {
  let seen = performance.now();
  let stalledAt = -Infinity;
  const look = () => {
    const now = performance.now();
    if (now - seen >= noticedMs) stalledAt = now;
    seen = now;
  };
  const timer = setInterval(look, everyMs).unref();
  return {
    since(time) {
      // Whoever asks may have been woken before the timer.
      look();
      return stalledAt > time;
    },
    close: () => clearInterval(timer),
  };
}
