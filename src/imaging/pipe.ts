// pipe.ts — the child's end of the pipe: blocking reads and writes of whole frames.

import { readSync, writeSync } from 'node:fs';
import { type ChildFrame, frameHead, maxHeaderBytes } from './protocol.ts';

export type WriteFrame = (header: ChildFrame, payload?: Buffer) => void;

/** Writes frames to `file`, whole, before it returns. */
export function frameWriter(file: number): WriteFrame {
  return (header, payload) => {
    writeAll(file, frameHead(header, payload?.length ?? 0));
    if (payload) writeAll(file, payload);
  };
}

/** The next frame of the parent; undefined when it has closed the pipe. The payload is one exact buffer. */
export function readFrame(file: number): { header: unknown; payload: Buffer } | undefined {
  const lengths = readExactly(file, 8);
  if (!lengths) return undefined;
  const headerBytes = lengths.readUInt32BE(0);
  // Only the parent writes here; this guards against our own mistakes.
  if (headerBytes > maxHeaderBytes) throw new Error(`a header of ${headerBytes} bytes`);
  const header = readExactly(file, headerBytes);
  const payload = readExactly(file, lengths.readUInt32BE(4));
  return header && payload ? { header: JSON.parse(header.toString()), payload } : undefined;
}

function readExactly(file: number, length: number): Buffer | undefined {
  const buffer = Buffer.allocUnsafeSlow(length);
  let at = 0;
  while (at < length) {
    const count = readSync(file, buffer, at, length - at, null);
    if (count === 0) return undefined;
    at += count;
  }
  return buffer;
}

function writeAll(file: number, buffer: Buffer): void {
  let at = 0;
  while (at < buffer.length) at += writeSync(file, buffer, at, buffer.length - at);
}
