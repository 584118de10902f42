// wait.ts — waits for a batch or an image to end, for answers that come when the work is done.

import type { Uses } from '../app.ts';
import { hasEnded, imageHasEnded, type Batch, type Image } from './model.ts';
import { findBatch } from './read.ts';
import { findImage } from './read-images.ts';

/** A lost notification costs at most this. */
const lookAgainMs = 1_000;

/** The batch as soon as it has ended, or as it stands after `ms`; undefined when it is gone. */
export async function waitForBatch(
  app: Uses<'db' | 'events'>,
  id: string,
  { ms, signal }: { ms: number; signal?: AbortSignal },
): Promise<Batch | undefined> {
  const until = performance.now() + ms;
  for (;;) {
    const batch = await findBatch(app, id);
    const left = until - performance.now();
    if (!batch || hasEnded(batch.state) || left <= 0 || signal?.aborted) return batch;
    await app.events.wait(id, Math.min(left, lookAgainMs), signal);
  }
}

/** As {@link waitForBatch}, for one image. */
export async function waitForImage(
  app: Uses<'db' | 'events'>,
  id: string,
  { ms, signal }: { ms: number; signal?: AbortSignal },
): Promise<Image | undefined> {
  const until = performance.now() + ms;
  for (;;) {
    const image = await findImage(app, id);
    const left = until - performance.now();
    if (!image || imageHasEnded(image.state) || left <= 0 || signal?.aborted) return image;
    await app.events.wait(image.batchId, Math.min(left, lookAgainMs), signal);
  }
}
