// uploads-views.ts — how surface A speaks of an uploaded image: five words, and the same ten keys everywhere.

import { stageOf, type Stage } from '../batches/stages.ts';
import type { Image } from '../batches/model.ts';

export const uploadWords = ['pending', 'processing', 'completed', 'error', 'aborted'] as const;
export type UploadWord = (typeof uploadWords)[number];

export const stages = {
  pending: 'waiting',
  processing: 'working',
  completed: 'succeeded',
  error: 'failed',
  aborted: 'canceled',
} as const satisfies Record<UploadWord, Stage>;

const words = Object.fromEntries(uploadWords.map((word) => [stages[word], word])) as Record<Stage, UploadWord>;

export function uploadWord(image: Pick<Image, 'state' | 'attempts'>): UploadWord {
  return words[stageOf(image)];
}

/** One row of the list. `image` is the path of the result while it is kept. */
export function uploadView(image: Image) {
  const { createdAt, finishedAt } = image;
  return {
    ...uploadHead(image),
    type: image.source.mediaType,
    image: resultPath(image),
    uploaded_at: createdAt.toISOString(),
    finished_at: finishedAt?.toISOString() ?? null,
    upload_time: finishedAt && uploadTime(createdAt, finishedAt),
  };
}

/** What the asynchronous paths say of each image. */
export function uploadHead(image: Image) {
  const { id, source, error } = image;
  const { name, bytes } = source;
  const code = error?.code ?? null;
  // An upload that a batch of /v1 names may have no name.
  return { id, job_id: id, name: name ?? 'image', size: bytes ?? 0, status: uploadWord(image), code };
}

/** The rendition called `default`, else the first. */
export function resultPath({ renditions }: Pick<Image, 'renditions'>): string | null {
  const { file = null } = renditions.find(({ name }) => name === 'default') ?? renditions[0] ?? {};
  return file && `/media/images/${file}`;
}

/** From the clock of this process to that of the database: never less than nothing. */
export function uploadTime(uploaded: Date, finished: Date): string {
  return `${(Math.max(0, finished.getTime() - uploaded.getTime()) / 1000).toFixed(1)} seconds`;
}
