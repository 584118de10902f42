// pnm.ts — reads P1 to P6, which sharp's build refuses.
//
// The header is read first and alone, so that limits are checked before anything is allocated; every loop is bounded by
// the length of the file. Samples come out as 8 bit, one channel or three.

import type { RawHeader, RawPixels } from './raw.ts';
import { Refused } from './refused.ts';

type PnmHeader = RawHeader & { kind: number; maxValue: number; dataAt: number };

/** Reads the header, and refuses a file that is too short for what it says. */
export function readPnmHeader(bytes: Buffer): PnmHeader {
  const kind = (bytes[1] ?? 0) - 0x30;
  const bitmap = kind === 1 || kind === 4;
  const reader = numbersFrom(bytes, 2);
  const width = reader.next();
  const height = reader.next();
  const maxValue = bitmap ? 1 : reader.next();
  if (!(width > 0 && height > 0)) throw new Refused('corrupt_image', 'a side of zero');
  if (!(maxValue >= 1 && maxValue <= 65_535)) throw new Refused('corrupt_image', 'maxval out of range');
  if (!isSpace(bytes[reader.at()])) throw new Refused('corrupt_image', 'no white space after the header');
  // Exactly one byte of white space ends the header; the next may already be a sample.
  const dataAt = reader.at() + 1;
  const channels = kind === 3 || kind === 6 ? 3 : 1;
  const samples = width * height * channels;
  const least = kind === 4 ? Math.ceil(width / 8) * height : kind >= 5 ? samples * (maxValue > 255 ? 2 : 1) : samples;
  if (bytes.length - dataAt < least) throw new Refused('corrupt_image', 'samples are missing');
  return { kind, maxValue, dataAt, width, height, channels, alpha: false };
}

/** Reads all samples as 8 bit. */
export function readPnmPixels(bytes: Buffer, header: PnmHeader): RawPixels {
  const { kind, width, height, channels } = header;
  const data = Buffer.allocUnsafeSlow(width * height * channels);
  if (kind === 1) readPlainBits(bytes, header, data);
  else if (kind === 4) readPackedBits(bytes, header, data);
  else if (kind < 4) readPlainSamples(bytes, header, data);
  else readSamples(bytes, header, data);
  return { data, width, height, channels };
}

/** P1: digits may touch each other. 1 is black. */
function readPlainBits(bytes: Buffer, { dataAt }: PnmHeader, data: Buffer): void {
  let at = dataAt;
  for (let i = 0; i < data.length; i++) {
    at = skipSpace(bytes, at);
    const digit = bytes[at++];
    if (digit !== 0x30 && digit !== 0x31) throw new Refused('corrupt_image', 'samples are missing or no bits');
    data[i] = digit === 0x31 ? 0 : 255;
  }
}

function readPackedBits(bytes: Buffer, { dataAt, width, height }: PnmHeader, data: Buffer): void {
  const stride = Math.ceil(width / 8);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const bit = bytes[dataAt + y * stride + (x >> 3)]! & (0x80 >> (x & 7));
      data[y * width + x] = bit ? 0 : 255;
    }
}

function readPlainSamples(bytes: Buffer, { dataAt, maxValue }: PnmHeader, data: Buffer): void {
  const scale = scaleTable(maxValue);
  const reader = numbersFrom(bytes, dataAt);
  for (let i = 0; i < data.length; i++) data[i] = scaled(reader.next(), maxValue, scale);
}

function readSamples(bytes: Buffer, { dataAt, maxValue }: PnmHeader, data: Buffer): void {
  if (maxValue === 255) {
    bytes.copy(data, 0, dataAt, dataAt + data.length);
    return;
  }
  const scale = scaleTable(maxValue);
  const wide = maxValue > 255;
  for (let i = 0; i < data.length; i++) {
    const sample = wide ? bytes.readUInt16BE(dataAt + 2 * i) : bytes[dataAt + i]!;
    data[i] = scaled(sample, maxValue, scale);
  }
}

function scaled(sample: number, maxValue: number, scale: Uint8Array): number {
  if (!(sample <= maxValue)) throw new Refused('corrupt_image', 'a sample above maxval, or missing');
  return scale[sample]!;
}

const scaleTable = (maxValue: number): Uint8Array =>
  Uint8Array.from({ length: maxValue + 1 }, (_, sample) => Math.round((sample * 255) / maxValue));

/** Reads decimal numbers between white space and comments; NaN where there is none. */
function numbersFrom(bytes: Buffer, start: number) {
  let at = start;
  return {
    at: () => at,
    next(): number {
      at = skipSpace(bytes, at);
      const from = at;
      let value = 0;
      while (at < bytes.length && bytes[at]! >= 0x30 && bytes[at]! <= 0x39 && at - from < 10)
        value = value * 10 + bytes[at++]! - 0x30;
      return at === from ? NaN : value;
    },
  };
}

function skipSpace(bytes: Buffer, start: number): number {
  let at = start;
  while (at < bytes.length) {
    if (bytes[at] === 0x23) while (at < bytes.length && bytes[at] !== 0x0a && bytes[at] !== 0x0d) at++;
    else if (isSpace(bytes[at])) at++;
    else break;
  }
  return at;
}

const isSpace = (byte: number | undefined): boolean => byte === 0x20 || (byte !== undefined && byte >= 9 && byte <= 13);
