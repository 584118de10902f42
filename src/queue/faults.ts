// faults.ts — tells once that a broker is away, and once that it is back.
//
// A client that reconnects fails several times a second, and none of these faults is news but the first.

import type { BrokerOptions } from './queue.ts';

export type Faults = { failed(error: unknown): void; works(): void };

export function tellFaults(log: BrokerOptions['log']): Faults {
  let away = false;
  return {
    failed(error) {
      if (!away) log.warn({ err: error }, 'the broker has trouble; the database is the queue while it is away');
      away = true;
    },
    works() {
      if (away) log.info('the broker is back');
      away = false;
    },
  };
}
