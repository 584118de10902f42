// clock.ts — the wall clock of one image: each stage has its time, and all stages together have theirs.
//
// sharp's own timeout() is no bound: a filter ran on for twelve seconds past it.

export type Clock = {
  /** A stage ends and the next begins; gives the milliseconds of the one that ended. */
  lap(): number;
  /** Stops counting, while the image waits for others. */
  pause(): void;
  setStageMs(ms: number): void;
  stop(): void;
};

/** A timer that comes later than this found us away: stopped, or without a processor. */
const awayMs = 2_000;

/**
 * Starts the first stage. `onLate` is called once, when a stage or the whole takes too long. A time that ran out while this
 * process stood still begins anew: the child may have answered long ago, and its answer is read after the timers.
 */
export function startClock(limits: { stageMs: number; totalMs: number }, onLate: (what: string) => void): Clock {
  let { stageMs } = limits;
  let left = limits.totalMs;
  let since = performance.now();
  let timer: NodeJS.Timeout | undefined;

  const arm = () => {
    since = performance.now();
    const ms = Math.min(stageMs, left);
    timer = setTimeout(
      () => {
        if (performance.now() - since - ms > awayMs) arm();
        else onLate(ms < stageMs ? 'the whole image' : 'one stage');
      },
      Math.max(0, ms),
    );
  };
  const halt = (): number => {
    clearTimeout(timer);
    const ms = performance.now() - since;
    left -= ms;
    return ms;
  };
  arm();
  return {
    lap() {
      const ms = halt();
      arm();
      return ms;
    },
    pause: halt,
    setStageMs(ms) {
      stageMs = ms;
    },
    stop: () => clearTimeout(timer),
  };
}
