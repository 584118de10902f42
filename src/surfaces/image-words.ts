// image-words.ts — the words in which D and E speak of one image: four states, one sentence for a failure, one result.
//
// Any image answers there, whatever surface it came by. A word moves forward only: an image that waits for its next try is
// still being processed, and its failure is told when there is no next one.

import type { Uses } from '../app.ts';
import type { Image, ImageState, RenditionView } from '../batches/model.ts';
import { findBatch } from '../batches/read.ts';
import { shownRendition } from '../batches/read-output.ts';
import { imageSentence } from '../problem.ts';
import type { Word } from './batch-words.ts';
import { detailShape, isUnmatched } from './error-bodies.ts';

const words = {
  queued: 'pending',
  dispatched: 'pending',
  running: 'processing',
  succeeded: 'completed',
  failed: 'failed',
  canceled: 'failed',
} as const satisfies Record<ImageState, Word>;

export function wordOfImage({ state, attempts }: Pick<Image, 'state' | 'attempts'>): Word {
  const word = words[state];
  return word === 'pending' && attempts > 0 ? 'processing' : word;
}

/** Why there is no result and will be none; null while there may be one. */
export function failureOf({ state, error }: Pick<Image, 'state' | 'error'>): string | null {
  if (state === 'canceled') return imageSentence('canceled');
  return state === 'failed' ? imageSentence(error?.code ?? 'internal') : null;
}

/** A result with its file: `null` when there is none yet, or none any more. */
export type Result = RenditionView & { file: string; mediaType: string; bytes: number };

/** The one result that is shown: `default`, or else the batch's first. */
export async function resultOf(app: Uses<'db'>, image: Image): Promise<Result | null> {
  if (image.state !== 'succeeded') return null;
  const named = (name: string) => image.renditions.find((each) => each.name === name);
  const result = named('default') ?? named(await firstName(app, image));
  return result && isKept(result) ? result : null;
}

export const resultUrl = ({ config }: Uses<'config'>, file: string): string =>
  `${config.publicUrl}/processed_images/${file}`;

/** The error bodies below /api/v1: those of D and E, and of whatever else is asked for there. */
export const imageErrors = detailShape({
  not_found: { says: (found) => (isUnmatched(found) ? 'Not Found' : found.message) },
});

async function firstName(app: Uses<'db'>, { batchId, renditions }: Image): Promise<string> {
  const batch = await findBatch(app, batchId);
  return batch ? shownRendition(batch) : (renditions[0]?.name ?? '');
}

const isKept = (result: RenditionView): result is Result =>
  result.file !== null && result.mediaType !== null && result.bytes !== null;
