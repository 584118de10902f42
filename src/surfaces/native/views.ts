// views.ts — batches and images as /v1 shows them: every documented key is there, null where there is nothing.

import type { App, Uses } from '../../app.ts';
import type { Batch, Image, RenditionView } from '../../batches/model.ts';
import { failureSummary, progressOf } from '../../batches/read.ts';
import { entryOf, imageSentence, isCode } from '../../problem.ts';
import { pipelineOperations } from '../../imaging/grammar.ts';

const lanes = ['interactive', 'bulk', 'suspects'] as const;

export async function batchView(app: Uses<'db' | 'config'>, batch: Batch) {
  const { total, succeeded, failed, canceled } = batch.counts;
  const progress = await progressOf(app, batch);
  return {
    id: batch.id,
    name: batch.name,
    surface: batch.surface,
    state: batch.state,
    generation: batch.generation,
    lane: lanes[batch.lane],
    counts: { total, succeeded, failed, canceled, remaining: total - succeeded - failed - canceled },
    progress: {
      percent: progress.percent,
      images_per_second: progress.imagesPerSecond,
      eta_seconds: progress.etaSeconds,
      slowest_host: progress.slowestHost,
    },
    bytes: { ...batch.bytes, saved_percent: savedPercent(batch.bytes) },
    renditions: Object.fromEntries(batch.renditions.map(({ name, recipe }) => [name, pipelineOperations(recipe)])),
    problems: batch.problemCount,
    error: await failureSummary(app, batch),
    webhook: batch.webhook && { url: batch.webhook.url, state: batch.webhook.state },
    created_at: batch.createdAt.toISOString(),
    started_at: timeOf(batch.startedAt),
    finished_at: timeOf(batch.finishedAt),
    expires_at: timeOf(batch.expiresAt),
    links: linksOf(app, batch.id),
  };
}

export function linksOf({ config }: Pick<App, 'config'>, id: string) {
  const self = `${config.publicUrl}/v1/batches/${id}`;
  return {
    self,
    images: `${self}/images`,
    failures: `${self}/failures`,
    output_csv: `${self}/output.csv`,
    failed_csv: `${self}/failed.csv`,
    events: `${config.publicUrl}/v1/events?batch_id=${id}`,
    page: `${config.publicUrl}/batches/${id}`,
  };
}

/** An image of a list; `history` and `timings_ms` come only with `imageStory`. */
export function imageView({ config }: Pick<App, 'config'>, image: Image) {
  const { product, source } = image;
  const self = `${config.publicUrl}/v1/images/${image.id}`;
  return {
    id: image.id,
    batch_id: image.batchId,
    position: image.position,
    ref: image.ref,
    product: product && { line: product.line, serial_number: product.serial, name: product.name },
    source: {
      url: source.url,
      name: source.name,
      media_type: source.mediaType,
      width: source.width,
      height: source.height,
      bytes: source.bytes,
      sha256: source.sha256,
    },
    state: image.state,
    attempts: image.attempts,
    next_attempt_at: timeOf(image.nextAttemptAt),
    error: image.error && errorView(image.error),
    warnings: image.warnings,
    renditions: image.renditions.map((each) => renditionView({ config }, each)),
    created_at: image.createdAt.toISOString(),
    started_at: timeOf(image.startedAt),
    finished_at: timeOf(image.finishedAt),
    links: {
      self,
      batch: `${config.publicUrl}/v1/batches/${image.batchId}`,
      source: source.url === null ? `${self}/source` : null,
      thumbnail: `${self}/thumbnail`,
      page: `${config.publicUrl}/images/${image.id}`,
    },
  };
}

export function imageStory(app: Pick<App, 'config'>, image: Image) {
  const history = image.history.map(({ startedAt, finishedAt, error, ...attempt }) => ({
    ...attempt,
    started_at: startedAt,
    finished_at: finishedAt,
    error: error && errorView({ host: null, httpStatus: null, ...error }),
  }));
  return { ...imageView(app, image), timings_ms: image.timings, history: history.slice(-10) };
}

function renditionView({ config }: Pick<App, 'config'>, rendition: RenditionView) {
  const { name, recipe, file, mediaType, width, height, bytes, quality, score, keptOriginal, warnings } = rendition;
  return {
    name,
    pipeline: recipe && pipelineOperations(recipe),
    url: file === null ? null : `${config.publicUrl}/v1/files/${file}`,
    media_type: mediaType,
    width,
    height,
    bytes,
    quality,
    score,
    kept_original: keptOriginal,
    warnings,
  };
}

function errorView({ code, host, httpStatus }: { code: string; host: string | null; httpStatus: number | null }) {
  const retryable = isCode(code) && entryOf(code).retryable;
  return { code, message: imageSentence(code), retryable, http_status: httpStatus, host };
}

function savedPercent(bytes: { in: number; out: number }): number | null {
  return bytes.in > 0 ? Math.round((1 - bytes.out / bytes.in) * 1000) / 10 : null;
}

const timeOf = (date: Date | null): string | null => date?.toISOString() ?? null;
