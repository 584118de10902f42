// batch-words.ts — the words in which B and C speak of a batch: four states, one status body.
//
// Partial success is "completed", because the seeds end so and their pollers wait for that word.

import type { Uses } from '../app.ts';
import { failureSummary } from '../batches/read.ts';
import { hasEnded, type Batch, type BatchState } from '../batches/model.ts';

export type Word = 'pending' | 'processing' | 'completed' | 'failed';

const words = {
  expanding: 'pending',
  queued: 'pending',
  running: 'processing',
  succeeded: 'completed',
  partially_succeeded: 'completed',
  failed: 'failed',
  canceled: 'failed',
} as const satisfies Record<BatchState, Word>;

export function wordOf(state: BatchState): Word {
  return words[state];
}

/** The answer of both status routes, and the head of the webhook. */
export async function statusBody(app: Uses<'db' | 'config'>, batch: Batch) {
  const ended = hasEnded(batch.state);
  const lost = batch.counts.failed + batch.counts.canceled;
  const download = `${app.config.publicUrl}/download/${batch.id}`;
  return {
    request_id: batch.id,
    status: wordOf(batch.state),
    created_at: batch.createdAt.toISOString(),
    completed_at: ended ? (batch.finishedAt?.toISOString() ?? null) : null,
    total_images: batch.counts.total,
    processed_images: batch.counts.succeeded,
    failed_images: lost,
    output_csv_url: ended ? download : null,
    failed_csv_url: lost > 0 ? `${download}?form=failed` : null,
    error: wordOf(batch.state) === 'failed' ? await failureSummary(app, batch) : null,
  };
}
