// child.ts — the frames of a child that misbehaves: shared by the doubles beside it.

import { frameWriter, readFrame } from '../../../src/imaging/pipe.ts';
import type { JobFrame } from '../../../src/imaging/protocol.ts';

export const write = frameWriter(1);

/** Says ready, as every child does first. */
export const ready = (): void => write({ type: 'ready', versions: {} });

/** The next job of the parent; ends the process when there is none. */
export function nextJob(): JobFrame {
  for (;;) {
    const frame = readFrame(0);
    if (!frame) process.exit(0);
    const header = frame.header as JobFrame;
    if (header.type === 'job') return header;
  }
}

export function waitForGo(): void {
  if (!readFrame(0)) process.exit(0);
}

/** An honest header of a small picture. */
export function honestHeader({ id, format }: JobFrame) {
  return { type: 'header' as const, id, format, width: 20, height: 10, frames: 1, alpha: false, orientation: 1 };
}

/** An honest rendition of 20x10 pixels, with a PNG signature in front. */
export function honestRendition(job: JobFrame) {
  const { name } = job.renditions[0]!;
  const said = { format: 'png', width: 20, height: 10, quality: null, keptOriginal: false, warnings: [] as string[] };
  return { type: 'rendition' as const, id: job.id, name, ...said };
}

export const png = Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), Buffer.alloc(40)]);
