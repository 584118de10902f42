// gate.ts — lets a bounded number pass at once; the others wait in line.

export type Permit = { release(): void };

export type Gate = {
  /** Resolves when there is room; rejects when the signal aborts or the gate turns everybody away. */
  enter(signal?: AbortSignal): Promise<Permit>;
  readonly active: number;
  readonly waiting: number;
  /** The limit may have grown: lets in who fits now. */
  wake(): void;
  /** Sends everybody home who still waits. */
  refuse(reason: Error): void;
};

type Waiter = { admit(): void; turnAway(reason: Error): void };

/** `limit` is asked anew each time, because politeness moves it. */
export function openGate(limit: () => number): Gate {
  let active = 0;
  const line = new Set<Waiter>();

  const take = (): Permit => {
    active += 1;
    let held = true;
    return {
      release() {
        if (!held) return;
        held = false;
        active -= 1;
        wake();
      },
    };
  };
  const wake = () => {
    for (const waiter of line) {
      if (active >= limit()) return;
      line.delete(waiter);
      waiter.admit();
    }
  };

  return {
    get active() {
      return active;
    },
    get waiting() {
      return line.size;
    },
    wake,
    refuse(reason) {
      const turned = [...line];
      line.clear();
      for (const waiter of turned) waiter.turnAway(reason);
    },
    async enter(signal) {
      signal?.throwIfAborted();
      if (line.size === 0 && active < limit()) return take();
      const { promise, resolve, reject } = Promise.withResolvers<Permit>();
      const leave = () => {
        line.delete(waiter);
        reject(signal?.reason as Error);
      };
      const waiter: Waiter = {
        admit() {
          signal?.removeEventListener('abort', leave);
          resolve(take());
        },
        turnAway(reason) {
          signal?.removeEventListener('abort', leave);
          reject(reason);
        },
      };
      line.add(waiter);
      signal?.addEventListener('abort', leave, { once: true });
      return promise;
    },
  };
}
