// bundle.ts — gathers single calls into one: a statement for a hundred images costs little more than a statement for one.

export type Bundle<Input, Output> = {
  /** Resolves with this input's share of the bundle's result. */
  add(input: Input): Promise<Output>;
  /** Runs what has gathered, without waiting for more. */
  start(): void;
  /** Runs what has gathered, and waits until nothing is under way. */
  flush(): Promise<void>;
};

/**
 * Calls `run` with all inputs that came within `ms` of the first, or as soon as there are `most`. `run` returns one output
 * for each input, in order; if it throws, every caller of that bundle gets the error.
 */
export function bundle<Input, Output>(
  run: (inputs: Input[]) => Promise<Output[]>,
  { ms, most }: { ms: number; most: number },
): Bundle<Input, Output> {
  type Waiting = { input: Input; resolve(output: Output): void; reject(error: unknown): void };
  let waiting: Waiting[] = [];
  let timer: NodeJS.Timeout | undefined;
  const running = new Set<Promise<void>>();

  function start(): void {
    clearTimeout(timer);
    timer = undefined;
    const some = waiting;
    waiting = [];
    if (some.length === 0) return;
    const done = runSome(some).finally(() => running.delete(done));
    running.add(done);
  }

  async function runSome(some: Waiting[]): Promise<void> {
    try {
      const outputs = await run(some.map((each) => each.input));
      // `run` promises one output for each input.
      some.forEach((each, index) => each.resolve(outputs[index] as Output));
    } catch (error) {
      for (const each of some) each.reject(error);
    }
  }

  return {
    add(input) {
      return new Promise((resolve, reject) => {
        waiting.push({ input, resolve, reject });
        if (waiting.length >= most) start();
        else timer ??= setTimeout(start, ms);
      });
    },
    start,
    async flush() {
      start();
      while (running.size > 0) await Promise.all(running);
    },
  };
}
