// once.ts — requests that change what exists, done once for each Idempotency-Key.
//
// Such work has a transaction of its own, so the record of its answer is written right after it.

import type { App } from '../../app.ts';
import { callerOf, type Ask } from '../../http/http.ts';
import { doOnce, holdKey, keepAfterwards, type Answer, type Outcome } from '../../http/idempotency.ts';

/** `batchId` is null where no batch is meant. `kept`: what is written down in place of an answer that holds a secret. */
type Done = { answer: Answer; batchId: string | null; kept?: Answer };

/** Does the work, or gives the answer of the request with the same key. */
export async function onceAfterwards(
  app: App,
  request: Ask,
  meaning: unknown,
  work: () => Promise<Done>,
): Promise<Outcome> {
  const { twin, release } = holdKey(request, callerOf(request).owner);
  try {
    return await doOnce(app, twin, {
      meaning,
      undo: async () => {},
      run: async (keep) => {
        const done = await work();
        await keepAfterwards(app, keep, done.kept ?? done.answer, done.batchId);
        return done;
      },
    });
  } finally {
    release();
  }
}
