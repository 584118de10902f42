// twins.ts — images of a batch that have one URL: one goes the way, the others share its end.

import type { Claimed } from './claim.ts';
import { sharedOutcome } from './reuse.ts';
import type { Outcome } from './settle.ts';

/**
 * Images of a batch with one URL: the first goes the way, the others wait until its end is committed, and share it. The
 * end is told by `settle`.
 */
export function openTwins(settle: (item: Claimed, outcome: Outcome) => Promise<void>) {
  const leaders = new Map<string, Promise<Outcome>>();
  return {
    async carry(item: Claimed, go: (item: Claimed) => Promise<Outcome>): Promise<void> {
      if (item.source === 'gone' || !('url' in item.source)) return settle(item, await go(item));
      const key = `${item.batchId} ${item.source.url}`;
      const leader = leaders.get(key);
      if (leader) return settle(item, sharedOutcome(await leader));
      const { promise, resolve } = Promise.withResolvers<Outcome>();
      leaders.set(key, promise);
      const outcome = await go(item);
      try {
        await settle(item, outcome);
      } finally {
        leaders.delete(key);
        resolve(outcome);
      }
    },
  };
}
