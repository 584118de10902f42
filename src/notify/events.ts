// events.ts — tells every process at once which batches changed.
//
// Whoever writes events tells of them in the same statement (journal.ts), who changes a batch otherwise with `tellBatches`;
// PostgreSQL delivers when and only if that transaction commits, and what was told twice in it once.
// What arrives is a hint and no record: a listener that was cut off misses some, so whoever follows a batch also reads
// it now and then. Long lists are not split into several notifications: they shrink to "anything may have changed".

import { sql } from 'kysely';
import type { Logger } from 'pino';
import type { Database, Queries } from '../db/database.ts';
import type { Events } from './notify.ts';

/** 100 ids are 3.9 kB; a notification holds 8. */
const mostIds = 100;

/** Tells in all processes, once the transaction has committed, that these batches changed. */
export async function tellBatches(tx: Queries, batchIds: readonly string[]): Promise<void> {
  if (batchIds.length > 0) await sql`select ${tellingOf(batchIds)}`.execute(tx);
}

/** The same as an expression, for a statement that goes out anyway. */
export function tellingOf(batchIds: readonly string[]) {
  const ids = [...new Set(batchIds)];
  return sql`pg_notify('events', ${JSON.stringify(ids.length > mostIds ? [] : ids)})`;
}

/** Tells in all processes, once the transaction has committed, that a delivery is due. */
export async function tellDeliveries(tx: Queries): Promise<void> {
  await sql`select pg_notify('deliveries', '')`.execute(tx);
}

/** Starts listening. An empty list of ids means: anything may have changed. */
export async function openEvents(db: Database, log: Logger): Promise<Events> {
  const subscribers = new Set<(batchIds: string[]) => void>();
  const waiting = new Map<string, Set<(changed: boolean) => void>>();

  const unlisten = await db.listen('events', (payload) => {
    const batchIds = idsOf(payload);
    wake(batchIds.length === 0 ? [...waiting.keys()] : batchIds, true);
    for (const hear of subscribers) {
      // One listener's fault must not keep the news from the others.
      try {
        hear(batchIds);
      } catch (error) {
        log.error({ err: error }, 'a listener of events failed');
      }
    }
  });

  function wake(batchIds: string[], changed: boolean): void {
    for (const id of batchIds) for (const resolve of waiting.get(id) ?? []) resolve(changed);
  }

  return {
    subscribe(hear) {
      // Wrapped, so that the same function subscribed twice is two subscriptions with an end each.
      const own = (batchIds: string[]): void => hear(batchIds);
      subscribers.add(own);
      return () => void subscribers.delete(own);
    },
    wait(batchId, ms, signal) {
      if (signal?.aborted || ms <= 0) return Promise.resolve(false);
      return new Promise((resolve) => {
        const settle = (changed: boolean): void => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', giveUp);
          const others = waiting.get(batchId);
          others?.delete(settle);
          if (others?.size === 0) waiting.delete(batchId);
          resolve(changed);
        };
        const giveUp = (): void => settle(false);
        const timer = setTimeout(giveUp, ms);
        signal?.addEventListener('abort', giveUp, { once: true });
        waiting.set(batchId, (waiting.get(batchId) ?? new Set()).add(settle));
      });
    },
    async close() {
      await unlisten();
      subscribers.clear();
      wake([...waiting.keys()], false);
    },
  };
}

/** Anyone may notify by hand in psql: what cannot be read means that anything may have changed. */
function idsOf(payload: string): string[] {
  try {
    const ids: unknown = JSON.parse(payload);
    return Array.isArray(ids) && ids.every((id) => typeof id === 'string') ? ids : [];
  } catch {
    return [];
  }
}
