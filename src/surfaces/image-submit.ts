// image-submit.ts — makes a batch of one image, once: what D calls a job and E a task.
//
// The key is held before the body is read, and what was stored for a request that is refused after all, or that repeats an
// earlier one, is taken back.

import type { App, Uses } from '../app.ts';
import type { Image, NewImage, Rendition } from '../batches/model.ts';
import { listImages } from '../batches/read-images.ts';
import { submitBatch } from '../batches/submit.ts';
import { callerOf, type Ask } from '../http/http.ts';
import { doOnce, holdKey, type Answer, type Keep, type Outcome } from '../http/idempotency.ts';
import { hopOf } from '../http/server.ts';
import { Problem, type Fault } from '../problem.ts';

/** What a request asks for, once it has been read and judged. */
export type ImageOrder = {
  image: NewImage;
  recipe: Rendition['recipe'];
  /** What makes two requests the same. */
  meaning: unknown;
  /** Takes back what was stored for it. */
  undo(): Promise<void>;
};

type Submission<Order> = {
  surface: string;
  read(): Promise<Order>;
  answer(image: Image, order: Order): Answer;
};

export async function submitImage<Order extends ImageOrder>(
  app: App,
  request: Ask,
  { surface, read, answer }: Submission<Order>,
): Promise<Outcome> {
  const { owner } = callerOf(request);
  const { twin, release } = holdKey(request, owner);
  try {
    const order = await read();
    const { image, recipe, meaning, undo } = order;
    const renditions = [{ name: 'default', recipe }];
    const input = { surface, owner, hop: hopOf(request), renditions, content: { images: [image] } };
    const run = async (keep: Keep) => {
      let made: Answer | undefined;
      const batch = await submitBatch(app, input, async (tx, { id }) => {
        made = answer(await onlyImage({ db: { ...app.db, query: tx } }, id), order);
        await keep(tx, made, id);
      });
      if (!made) throw new Error(`batch ${batch.id} was made without an answer`);
      return { answer: made, batchId: batch.id };
    };
    try {
      return await doOnce(app, twin, { meaning, undo, run });
    } catch (error) {
      await undo();
      throw error;
    }
  } finally {
    release();
  }
}

async function onlyImage(app: Uses<'db'>, batchId: string): Promise<Image> {
  const [image] = await listImages(app, batchId, { limit: 1 });
  if (!image) throw new Error(`batch ${batchId} has no image right after its insert`);
  return image;
}

/** The value of one judgement of several; what it finds wrong is gathered, so that all faults are told at once. */
export function gather<T>(faults: Fault[], judge: () => T): T | undefined {
  try {
    return judge();
  } catch (error) {
    if (!(error instanceof Problem) || !error.facts.faults) throw error;
    faults.push(...error.facts.faults);
    return undefined;
  }
}
