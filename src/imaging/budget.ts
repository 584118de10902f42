// budget.ts — bounds how many megapixels are decoded at once in all children together.
//
// Images alone are no measure of memory: one of 50 megapixels takes what a hundred thumbnails take.

export type Budget = {
  /** Waits until `megapixels` fit, in the order of asking; returns what gives them back. */
  take(megapixels: number, signal?: AbortSignal): Promise<() => void>;
};

type Waiting = { megapixels: number; start(): void };

/** A budget of `limit` megapixels. One image alone always passes, whatever its size. */
export function openBudget(limit: number): Budget {
  const waiting: Waiting[] = [];
  let used = 0;
  let running = 0;

  const admit = () => {
    for (let next = waiting[0]; next && (running === 0 || used + next.megapixels <= limit); next = waiting[0]) {
      waiting.shift();
      used += next.megapixels;
      running++;
      next.start();
    }
  };
  const release = (megapixels: number) => {
    used -= megapixels;
    running--;
    admit();
  };

  return {
    take(megapixels, signal) {
      const { promise, resolve, reject } = Promise.withResolvers<() => void>();
      let given = false;
      const giveBack = () => {
        if (given) release(megapixels);
        given = false;
      };
      const entry: Waiting = {
        megapixels,
        start() {
          given = true;
          signal?.removeEventListener('abort', leave);
          resolve(giveBack);
        },
      };
      const leave = () => {
        waiting.splice(waiting.indexOf(entry), 1);
        reject(signal?.reason);
        admit();
      };
      if (signal?.aborted) return Promise.reject(signal.reason);
      signal?.addEventListener('abort', leave, { once: true });
      waiting.push(entry);
      admit();
      return promise;
    },
  };
}

/** 64 megapixels for each GB that is left to this process. */
export function megapixelsFor(bytes: number): number {
  return Math.max(16, (bytes / 1024 ** 3) * 64);
}
