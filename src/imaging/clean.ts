// clean.ts — the source without its metadata, by cutting the container: pixels stay the coded bytes they were.
//
// For the promise that a result is never larger than its source. Each cutter walks the container and gives null when it is
// not exactly as its specification says: then there is no copy, and the newly coded result stands.

import { cleanAvif } from './clean-avif.ts';
import { cleanJpeg } from './jpeg-file.ts';

/** The source without metadata, or null where there is no such copy. */
export function cleanCopy(format: string, bytes: Buffer): Buffer | null {
  if (format === 'jpeg') return cleanJpeg(bytes);
  if (format === 'png') return cleanPng(bytes);
  if (format === 'webp') return cleanWebp(bytes);
  if (format === 'avif') return cleanAvif(bytes);
  return null;
}

const pngKept = new Set(['IHDR', 'PLTE', 'tRNS', 'gAMA', 'cHRM', 'sRGB', 'iCCP', 'sBIT', 'IDAT', 'IEND']);

/** PNG: keeps what decides about pixels and colour. Animated ones have several pictures, so no copy. */
function cleanPng(bytes: Buffer): Buffer | null {
  const kept = [bytes.subarray(0, 8)];
  let at = 8;
  while (at + 12 <= bytes.length) {
    const length = bytes.readUInt32BE(at);
    const type = bytes.toString('latin1', at + 4, at + 8);
    const end = at + 12 + length;
    if (end > bytes.length || type === 'acTL') return null;
    if (pngKept.has(type)) kept.push(bytes.subarray(at, end));
    if (type === 'IEND') return Buffer.concat(kept);
    at = end;
  }
  return null;
}

const webpKept = new Set(['VP8 ', 'VP8L', 'VP8X', 'ALPH', 'ICCP']);

/** WebP: keeps the coded picture and its profile, and clears the flags that announce EXIF and XMP. */
function cleanWebp(bytes: Buffer): Buffer | null {
  if (bytes.length < 20) return null;
  const size = bytes.readUInt32LE(4) + 8;
  if (size > bytes.length) return null;
  const kept: Buffer[] = [];
  let at = 12;
  while (at + 8 <= size) {
    const type = bytes.toString('latin1', at, at + 4);
    const length = bytes.readUInt32LE(at + 4);
    const end = at + 8 + length + (length & 1);
    if (at + 8 + length > size || type === 'ANIM' || type === 'ANMF') return null;
    if (type === 'VP8X') kept.push(withoutFlags(bytes.subarray(at, end)));
    else if (webpKept.has(type)) kept.push(bytes.subarray(at, end));
    at = end;
  }
  if (!kept.some((chunk) => /^VP8[ L]/.test(chunk.toString('latin1', 0, 4)))) return null;
  const body = Buffer.concat(kept);
  const head = Buffer.from('RIFF\0\0\0\0WEBP', 'latin1');
  head.writeUInt32LE(body.length + 4, 4);
  return Buffer.concat([head, body]);
}

/** Flags of VP8X: 0x08 announces EXIF, 0x04 XMP. */
function withoutFlags(chunk: Buffer): Buffer {
  const copy = Buffer.from(chunk);
  copy[8] = copy[8]! & ~0x0c;
  return copy;
}

/** True when a WebP file holds a lossy picture: its noise makes PNG filters worth their time. */
export function isLossyWebp(bytes: Buffer): boolean {
  return bytes.subarray(12, 200).includes('VP8 ');
}
