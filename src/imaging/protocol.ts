// protocol.ts — what the parent and a sandbox child say to each other, and how it lies on the pipe.
//
// A frame is two 32-bit lengths (big-endian), a JSON header of at most 64 kB, and a payload. The types say what an honest
// child sends; the parent reads every field as unknown, because the child that decoded a hostile picture may lie.

import type { Recipe } from './imaging.ts';
import type { RefusalFacts } from './refused.ts';

export const maxHeaderBytes = 65_536;

export type JobFrame = {
  type: 'job';
  id: string;
  format: string;
  renditions: { name: string; recipe: Recipe }[];
  limits: { maxPixels: number; maxOutputSide: number };
};
export type ParentFrame = JobFrame | { type: 'go'; id: string } | { type: 'skip'; id: string };

/** What the header of the picture says, before any pixel is decoded. Sides as stored, orientation not applied. */
export type HeaderFrame = {
  type: 'header';
  id: string;
  format: string;
  width: number;
  height: number;
  frames: number;
  alpha: boolean;
  orientation: number;
};
export type StageFrame = { type: 'stage'; id: string; rendition: string; doing: Doing };
export type Doing = 'decode' | 'transform' | 'encode';
export type RenditionFrame = {
  type: 'rendition';
  id: string;
  name: string;
  format: string;
  width: number;
  height: number;
  quality: number | null;
  score?: number | null;
  encodes?: number;
  keptOriginal: boolean;
  warnings: string[];
};
export type FailedFrame = { type: 'failed'; id: string; code: string; detail: string; facts: RefusalFacts };
export type ChildFrame =
  | { type: 'ready'; versions: Record<string, string> }
  | { type: 'memory'; rss: number }
  | HeaderFrame
  | StageFrame
  | RenditionFrame
  | { type: 'done'; id: string }
  | FailedFrame;

/** Lengths and header of a frame, to be followed by `payloadBytes` bytes of payload. */
export function frameHead(header: ParentFrame | ChildFrame, payloadBytes = 0): Buffer {
  const json = Buffer.from(JSON.stringify(header));
  const head = Buffer.allocUnsafe(8 + json.length);
  head.writeUInt32BE(json.length, 0);
  head.writeUInt32BE(payloadBytes, 4);
  json.copy(head, 8);
  return head;
}

export type Frame = { header: Record<string, unknown>; payload: Buffer[]; bytes: number };

/**
 * Cuts what a child writes into frames. Payload stays the list of chunks it came in. Throws on anything that is no frame;
 * `maxPayload` bounds what is kept of a child that lies about its lengths.
 */
export function frameReader(maxPayload: number): (chunk: Buffer) => Frame[] {
  const waiting: Buffer[] = [];
  let held = 0;
  let lengths: { header: number; payload: number } | undefined;

  const take = (count: number): Buffer[] => {
    const taken: Buffer[] = [];
    let left = count;
    while (left > 0) {
      const first = waiting[0]!;
      if (first.length > left) waiting[0] = first.subarray(left);
      else waiting.shift();
      taken.push(first.subarray(0, left));
      left -= Math.min(left, first.length);
    }
    held -= count;
    return taken;
  };

  return (chunk) => {
    waiting.push(chunk);
    held += chunk.length;
    const frames: Frame[] = [];
    for (;;) {
      if (!lengths) {
        if (held < 8) return frames;
        const head = joined(take(8));
        lengths = { header: head.readUInt32BE(0), payload: head.readUInt32BE(4) };
        if (lengths.header > maxHeaderBytes) throw new Error(`a header of ${lengths.header} bytes`);
        if (lengths.payload > maxPayload) throw new Error(`a payload of ${lengths.payload} bytes`);
      }
      if (held < lengths.header + lengths.payload) return frames;
      const header = parseHeader(joined(take(lengths.header)));
      frames.push({ header, payload: take(lengths.payload), bytes: lengths.payload });
      lengths = undefined;
    }
  };
}

const joined = (chunks: Buffer[]): Buffer => (chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks));

function parseHeader(bytes: Buffer): Record<string, unknown> {
  const header: unknown = JSON.parse(bytes.toString());
  if (typeof header !== 'object' || header === null || Array.isArray(header))
    throw new Error('a header that is no object');
  return header as Record<string, unknown>;
}
