// database.ts — the queue that is none: without a broker, workers claim straight from SQL.

import { untilAborted, type Queue } from './queue.ts';

/** Carries no tickets, so it can lose none and is always well; whether the database is, the database says. */
export function openDatabaseQueue(): Queue {
  return {
    carriesTickets: false,
    name: 'database',
    publish: async () => {},
    consume: ({ signal }) => untilAborted(signal),
    waiting: async () => 0,
    healthy: async () => ({ ok: true }),
    close: async () => {},
  };
}
