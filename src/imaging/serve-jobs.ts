// serve-jobs.ts — the child's side of the conversation: job, header, go, renditions, done.

import type { Metadata } from 'sharp';
import { uprightBox } from './boxes.ts';
import { readBmpHeader, readBmpPixels } from './bmp.ts';
import type { Format } from './imaging.ts';
import { planCascade } from './cascade.ts';
import { readFrame, type WriteFrame } from './pipe.ts';
import { readPnmHeader, readPnmPixels } from './pnm.ts';
import type { Doing, JobFrame, ParentFrame } from './protocol.ts';
import type { RawPixels } from './raw.ts';
import { Refused, refusalOf } from './refused.ts';
import { blamed, isGrey, type OpenSharp, scaledWhole, type SourceInChild } from './draw.ts';
import { render } from './render.ts';

type Pipe = { open: OpenSharp; input: number; write: WriteFrame };
type Opened = { header: SourceInChild['header']; readPixels?: () => RawPixels };

/** Answers jobs until the parent closes the pipe. */
export async function serveJobs(pipe: Pipe): Promise<void> {
  for (;;) {
    const frame = readFrame(pipe.input);
    if (!frame) return;
    // Only the parent writes to this pipe, and it writes what protocol.ts says.
    const header = frame.header as ParentFrame;
    if (header.type !== 'job') continue;
    if (!(await answer(pipe, header, frame.payload))) return;
  }
}

/** False when the parent has gone in the middle. */
async function answer(pipe: Pipe, job: JobFrame, bytes: Buffer): Promise<boolean> {
  const { id } = job;
  try {
    const { header, readPixels } = await openSource(pipe.open, job.format as Format, bytes);
    const { space: _, ...told } = header;
    pipe.write({ type: 'header', id, ...told });
    const next = readFrame(pipe.input)?.header as ParentFrame | undefined;
    if (!next) return false;
    if (next.type === 'skip') return true;
    const source: SourceInChild = { header, bytes };
    if (readPixels) {
      pipe.write({ type: 'stage', id, rendition: '', doing: 'decode' });
      source.raw = readPixels();
    }
    await answerRenditions(pipe, job, source);
    pipe.write({ type: 'done', id });
  } catch (error) {
    const { code, message, facts } = refusalOf(error, true);
    pipe.write({ type: 'failed', id, code, detail: message.slice(0, 500), facts });
  }
  return true;
}

/** All renditions in the order of the cascade; what is handed down is let go with the last that needs it. */
async function answerRenditions({ open, write }: Pipe, { id, renditions, limits }: JobFrame, source: SourceInChild) {
  const stairs = planCascade(renditions, uprightBox(source.header));
  const held = new Map<number, RawPixels>();
  for (const [at, { index, whole, from, until }] of stairs.entries()) {
    const { name, recipe } = renditions[index]!;
    const tell = (doing: Doing) => write({ type: 'stage', id, rendition: name, doing });
    const work = { open, source, recipe, limits, warnings: new Set<string>(), tell };
    let start: RawPixels | undefined;
    // Pixels of grey with transparency would come back as colour.
    if (whole && !(isGrey(source) && source.header.alpha)) {
      tell('transform');
      const above = from === undefined ? undefined : held.get(from);
      start = await blamed(above, () => scaledWhole(work, whole, above));
      if (until !== undefined) held.set(at, start);
    }
    const { body, ...result } = await render({ ...work, start });
    write({ type: 'rendition', id, name, ...result }, body);
    for (const above of held.keys()) if ((stairs[above]?.until ?? 0) <= at) held.delete(above);
  }
}

/** Reads the header alone: limits are checked before anything is decoded or allocated. */
async function openSource(open: OpenSharp, format: Format, bytes: Buffer): Promise<Opened> {
  if (format === 'pnm') {
    const header = readPnmHeader(bytes);
    return { header: headerOf(format, header, header.channels), readPixels: () => readPnmPixels(bytes, header) };
  }
  if (format === 'bmp') {
    const header = readBmpHeader(bytes);
    return { header: headerOf(format, header, header.channels), readPixels: () => readBmpPixels(bytes, header) };
  }
  const found = await open(bytes, { failOn: 'error', limitInputPixels: false })
    .metadata()
    .catch((error: Error) => {
      // No reader takes it: among AVIF those that are films.
      const isFilm = format === 'avif' && /unsupported image format/.test(error.message);
      throw isFilm ? new Refused('unsupported_format', error.message) : error;
    });
  if ((found.format === 'heif' ? 'avif' : found.format) !== format)
    throw new Refused('corrupt_image', `is ${found.format}`);
  return { header: metadataOf(format, found) };
}

function metadataOf(format: Format, found: Metadata): SourceInChild['header'] {
  return {
    format,
    width: found.width,
    height: found.height,
    frames: found.pages ?? 1,
    alpha: found.hasAlpha,
    orientation: found.orientation ?? 1,
    space: found.space,
  };
}

function headerOf(
  format: Format,
  { width, height, alpha }: { width: number; height: number; alpha: boolean },
  channels: number,
) {
  return { format, width, height, frames: 1, alpha, orientation: 1, space: channels === 1 ? 'b-w' : 'srgb' };
}
