// uploads-submit.ts — makes a batch of a form with pictures, once: one transaction, and nothing is kept of what is refused.

import type { App } from '../app.ts';
import { sourceOf } from '../batches/intake-images.ts';
import type { Batch, Image, Rendition } from '../batches/model.ts';
import { listImages } from '../batches/read-images.ts';
import { submitBatch } from '../batches/submit.ts';
import { callerOf, type Ask } from '../http/http.ts';
import { doOnce, holdKey, type Answer, type Keep, type Outcome } from '../http/idempotency.ts';
import { hopOf } from '../http/server.ts';
import { parsePipeline } from '../imaging/grammar.ts';
import { discardSent, receiveImages, type SentImage } from './uploads-receive.ts';

export const surfaceName = 'uploads';

export type Submission = {
  fields: readonly string[];
  most: number;
  /** Throws what is wrong with the form as a whole. */
  judge(sent: SentImage[]): void;
  answer(batch: Batch, images: Image[]): Answer;
};

/** Reads the form and makes its batch. `finish` gives the answer; a twin of the request is put off until then. */
export async function submitUploads<T>(
  app: App,
  request: Ask,
  submission: Submission,
  finish: (outcome: Outcome) => Promise<T>,
): Promise<T> {
  const { twin, release } = holdKey(request, callerOf(request).owner);
  try {
    const sent = await receiveImages(app, request, submission);
    const undo = () => discardSent(app, sent);
    return await finish(
      await once(app, { request, twin, sent, submission, undo }).catch(async (error: unknown) => {
        await undo();
        throw error;
      }),
    );
  } finally {
    release();
  }
}

type Once = {
  request: Ask;
  twin: Parameters<typeof doOnce>[1];
  sent: SentImage[];
  submission: Submission;
  undo: () => Promise<void>;
};

async function once(app: App, { request, twin, sent, submission, undo }: Once): Promise<Outcome> {
  submission.judge(sent);
  return doOnce(app, twin, {
    // A name is part of what was asked: it comes back in every answer.
    meaning: sent.map(({ name, received }) => [name, received.sha256.toString('hex')]),
    undo,
    run: (keep) => submit(app, request, sent, { ...submission, keep }),
  });
}

async function submit(
  app: App,
  request: Ask,
  sent: SentImage[],
  { answer, keep }: Pick<Submission, 'answer'> & { keep: Keep },
) {
  const images = sent.map(({ name, received }) => ({ source: sourceOf(received), name }));
  const { owner } = callerOf(request);
  const renditions = [uploadRendition(app)];
  let answered: Answer | undefined;
  const batch = await submitBatch(
    app,
    { surface: surfaceName, owner, hop: hopOf(request), renditions, content: { images } },
    async (tx, made) => {
      const rows = await listImages({ db: { ...app.db, query: tx } }, made.id, { limit: sent.length });
      answered = answer(made, rows);
      await keep(tx, answered, made.id);
    },
  );
  if (!answered) throw new Error(`batch ${batch.id} was made without an answer`);
  return { answer: answered, batchId: batch.id };
}

function uploadRendition({ config }: Pick<App, 'config'>): Rendition {
  const { maxOutputSide, effort } = config;
  return { name: 'default', recipe: parsePipeline(config.uploadPipeline, { maxOutputSide, effort }) };
}
