// live-progress.ts — when followers hear how far a batch is: after its news, but at most five times a second.

import type { News } from '../batches/read-events.ts';

export type ProgressClock = {
  /** The batch of these news has moved. */
  note(news: News): void;
  /** Progress that is due, some batches at a time. */
  take(): News[];
  /** In how many milliseconds to take again; undefined when nothing waits. */
  waitMs(): number | undefined;
};

const everyMs = 200;
/** Each costs a look at its batch; the others come with the next turn. */
const mostAtOnce = 20;

export function openProgress(now = () => performance.now()): ProgressClock {
  const waiting = new Map<string, News>();
  const told = new Map<string, number>();
  const dueAt = (batchId: string): number => (told.get(batchId) ?? -Infinity) + everyMs;
  return {
    note({ batchId, owner, generation, at }) {
      if (waiting.has(batchId)) return;
      waiting.set(batchId, { id: null, type: 'batch.progress', batchId, imageId: null, owner, generation, at });
    },
    take() {
      for (const [batchId] of told) if (dueAt(batchId) <= now()) told.delete(batchId);
      const due = [...waiting.values()].filter(({ batchId }) => dueAt(batchId) <= now()).slice(0, mostAtOnce);
      for (const news of due) {
        waiting.delete(news.batchId);
        told.set(news.batchId, now());
      }
      return due.map((news) => ({ ...news, at: new Date() }));
    },
    waitMs: () => (waiting.size === 0 ? undefined : Math.max(0, Math.min(...[...waiting.keys()].map(dueAt)) - now())),
  };
}
