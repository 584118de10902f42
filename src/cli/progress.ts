// progress.ts — how `darkroom process` tells how far it is: a bar for a person, a line now and then for a log, JSON for a
// program.
//
// Words go to stderr, data to stdout. The JSON envelopes are those of the API's events; a path stands where there a URL
// would.

import type { App } from '../app.ts';
import { progressOf, type Progress } from '../batches/read.ts';
import type { Batch, ProductView } from '../batches/model.ts';
import { imageSentence } from '../problem.ts';
import type { ProcessFlags } from './index.ts';
import type { Places } from './places.ts';
import type { Session } from './session.ts';

export type Show = {
  /** How often there is something to show. */
  everyMs: number;
  progress(app: App, batch: Batch): Promise<void>;
  note(sentence: string): void;
  image(row: number, product: ProductView, index: number, path: string | null): void;
  end(batch: Batch, places: Places): void;
};

export function showProgress(session: Session, flags: ProcessFlags, submitted: Batch): Show {
  const { err } = session;
  const bar = err.isTTY === true && !flags.quiet && !flags.json;
  const emit = flags.json ? envelopes(session) : () => undefined;
  // Over a bar the rest of the old line must go.
  const say = (sentence: string): void => void (flags.quiet || err.write(`${bar ? '\r\u001b[K' : ''}${sentence}\n`));
  const batchId = submitted.id;
  emit('batch.created', { batch_id: batchId, ...countsOf(submitted) });
  return {
    everyMs: bar || flags.json ? 250 : 5000,
    async progress(app, batch) {
      const progress = await progressOf(app, batch);
      emit('batch.progress', { batch_id: batchId, ...countsOf(batch), ...rateOf(progress) });
      if (bar) err.write(`\r${barLine(batch, progress, err.columns ?? 80)}\u001b[K`);
      else if (!flags.quiet && !flags.json) err.write(`${textLine(batch, progress)}\n`);
    },
    note: say,
    image(row, product, index, path) {
      const image = product.images[index];
      if (!image) return;
      const error = image.errorCode && { code: image.errorCode, message: imageSentence(image.errorCode) };
      const { serial: serial_number, name } = product;
      const shown = { row, product: { line: product.line, serial_number, name }, source: { url: image.input } };
      emit(`image.${image.state}`, {
        batch_id: batchId,
        image: { ...shown, state: image.state, error: error || null, path },
      });
    },
    end(batch, { csv, images }) {
      const { succeeded, failed, canceled } = batch.counts;
      emit('batch.finished', { batch_id: batchId, state: batch.state, ...countsOf(batch), output_csv: csv, images });
      if (flags.json) return;
      const rest = canceled > 0 ? `, ${canceled} not done` : '';
      say(`${succeeded} images done, ${failed} failed${rest}${savingOf(batch)}. ${csv} and ${images}`);
    },
  };
}

/** `id` rises, as it does in the API. */
function envelopes({ out }: Session): (type: string, data: Record<string, unknown>) => void {
  let id = 0;
  return (type, data) => {
    id += 1;
    out.write(`${JSON.stringify({ id: String(id), type, timestamp: new Date().toISOString(), data })}\n`);
  };
}

function countsOf({ counts, bytes }: Batch) {
  const remaining = counts.total - counts.succeeded - counts.failed - counts.canceled;
  return { counts: { ...counts, remaining }, bytes };
}

function rateOf({ percent, imagesPerSecond, etaSeconds, slowestHost }: Progress) {
  return {
    progress: { percent, images_per_second: imagesPerSecond, eta_seconds: etaSeconds, slowest_host: slowestHost },
  };
}

/** `[#########---------]  51.0 %  510/1000  3 failed  210/s  3 s left`, cut to the width of the terminal. */
export function barLine(batch: Batch, progress: Progress, columns: number): string {
  const width = 20;
  const full = Math.round((progress.percent / 100) * width);
  return `[${'#'.repeat(full)}${'-'.repeat(width - full)}] ${textLine(batch, progress)}`.slice(
    0,
    Math.max(columns - 1, 20),
  );
}

export function textLine({ counts }: Batch, { percent, imagesPerSecond, etaSeconds, slowestHost }: Progress): string {
  const ended = counts.succeeded + counts.failed + counts.canceled;
  const parts = [`${percent.toFixed(1).padStart(5)} %`, `${ended}/${counts.total}`];
  if (counts.failed > 0) parts.push(`${counts.failed} failed`);
  if (imagesPerSecond !== null) parts.push(`${imagesPerSecond}/s`);
  if (etaSeconds !== null) parts.push(`${duration(etaSeconds)} left`);
  if (slowestHost) parts.push(`waiting for ${slowestHost}`);
  return parts.join('  ');
}

function duration(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}

function savingOf({ bytes }: Batch): string {
  if (bytes.in === 0 || bytes.out >= bytes.in) return '';
  return `, ${Math.round((1 - bytes.out / bytes.in) * 100)} % smaller`;
}
