// bmp.ts — reads BMP, which sharp's build refuses: every header of Windows and OS/2, every depth, masks and run lengths.
//
// The header is read first and alone, so that limits are checked before anything is allocated. Offsets are checked
// against the length of the file once; the loops below stay inside by that.

import { readRunLengths } from './bmp-runs.ts';
import type { RawHeader, RawPixels } from './raw.ts';
import { Refused } from './refused.ts';

type Mask = { bits: number; shift: number; max: number };
type BmpHeader = RawHeader & {
  bits: number;
  runs: boolean;
  topDown: boolean;
  dataAt: number;
  stride: number;
  palette: { at: number; entry: number; count: number };
  masks: [Mask, Mask, Mask, Mask];
};

const headerSizes = [12, 16, 40, 52, 56, 64, 108, 124];

/** Reads the header, and refuses variants that nobody reads and files that are too short for what they say. */
export function readBmpHeader(bytes: Buffer): BmpHeader {
  if (bytes.length < 26) throw new Refused('corrupt_image', 'shorter than any header');
  const size = bytes.readUInt32LE(14);
  if (!headerSizes.includes(size)) throw new Refused('corrupt_image', `a header of ${size} bytes`);
  if (bytes.length < 14 + size) throw new Refused('corrupt_image', 'the header is cut off');
  const old = size === 12;
  const width = old ? bytes.readUInt16LE(18) : bytes.readInt32LE(18);
  const tall = old ? bytes.readUInt16LE(20) : bytes.readInt32LE(22);
  const bits = bytes.readUInt16LE(old ? 24 : 28);
  const compression = size >= 40 ? bytes.readUInt32LE(30) : 0;
  if (width <= 0 || tall === 0) throw new Refused('corrupt_image', 'a side of zero');
  refuseUnknown(size, bits, compression);
  const runs = compression === 1 || compression === 2;
  if (runs && tall < 0) throw new Refused('corrupt_image', 'run lengths from the top');
  const masked = compression === 3 || compression === 6;
  const dataAt = bytes.readUInt32LE(10);
  const stride = Math.floor((bits * width + 31) / 32) * 4;
  const height = Math.abs(tall);
  const header: BmpHeader = {
    width,
    height,
    ...masksOf(bytes, size, bits, compression),
    bits,
    runs,
    topDown: tall < 0,
    dataAt,
    stride,
    palette: paletteOf(bytes, size, bits, masked ? compression : 0, dataAt),
  };
  // The padding of the last row is often cut off, and nothing is lost with it.
  const least = runs ? 2 : stride * (height - 1) + Math.ceil((bits * width) / 8);
  if (dataAt < 14 + size || dataAt + least > bytes.length) throw new Refused('corrupt_image', 'rows outside the file');
  return header;
}

/** Reads all pixels, as RGB or RGBA. */
export function readBmpPixels(bytes: Buffer, header: BmpHeader): RawPixels {
  const { width, height, bits, runs, channels } = header;
  const data = Buffer.allocUnsafeSlow(width * height * channels);
  if (runs) paint(readRunLengths(bytes, header), bytes, header, data);
  else if (bits <= 8) paint(indexes(bytes, header), bytes, header, data);
  else if (bits === 24) readTriples(bytes, header, data);
  else readMasked(bytes, header, data);
  // A mask may name alpha and every pixel leave it zero: then it is meant to be opaque, as everybody shows it.
  return channels === 4 && isAllZero(data) ? opaque(data, width, height) : { data, width, height, channels };
}

function refuseUnknown(size: number, bits: number, compression: number): void {
  const fits =
    compression === 0
      ? [1, 2, 4, 8, 16, 24, 32].includes(bits)
      : compression === 1
        ? bits === 8
        : compression === 2
          ? bits === 4
          : // On OS/2, 3 is Huffman and 4 is another run length.
            (compression === 3 || compression === 6) && size !== 64 && (bits === 16 || bits === 32);
  if (!fits) throw new Refused('unsupported_format', `${bits} bits, compression ${compression}`);
}

function masksOf(bytes: Buffer, size: number, bits: number, compression: number) {
  const masked = compression === 3 || compression === 6;
  const inFile = [0, 1, 2].map((channel) => (masked && bytes.length >= 66 ? bytes.readUInt32LE(54 + 4 * channel) : 0));
  const hasAlpha = masked && (compression === 6 || (size >= 56 && size !== 64)) && bytes.length >= 70;
  const usual = bits === 16 ? [0x7c00, 0x03e0, 0x001f] : [0xff0000, 0x00ff00, 0x0000ff];
  const colors = masked ? inFile : usual;
  const alpha = hasAlpha ? bytes.readUInt32LE(66) : 0;
  const [red, green, blue, opacity] = [...colors, alpha].map(maskOf);
  const masks: [Mask, Mask, Mask, Mask] = [red!, green!, blue!, opacity!];
  return { masks, channels: alpha === 0 ? 3 : 4, alpha: alpha !== 0 };
}

function maskOf(bits: number): Mask {
  const shift = bits === 0 ? 0 : 31 - Math.clz32(bits & -bits);
  return { bits, shift, max: bits >>> shift };
}

function paletteOf(bytes: Buffer, size: number, bits: number, compression: number, dataAt: number) {
  const entry = size === 12 ? 3 : 4;
  const extra = size === 40 ? (compression === 3 ? 12 : compression === 6 ? 16 : 0) : 0;
  const at = 14 + size + extra;
  const named = size >= 40 ? bytes.readUInt32LE(46) : 0;
  const most = bits <= 8 ? 1 << bits : 0;
  const room = Math.max(0, Math.floor((Math.min(dataAt, bytes.length) - at) / entry));
  return { at, entry, count: Math.min(named === 0 ? most : named, most, room) };
}

/** One palette index for each pixel, rows from the top. */
function indexes(bytes: Buffer, { width, height, bits, dataAt, stride, topDown }: BmpHeader): Uint8Array {
  const all = new Uint8Array(width * height);
  const perByte = 8 / bits;
  const mask = (1 << bits) - 1;
  for (let y = 0; y < height; y++) {
    const row = dataAt + stride * (topDown ? y : height - 1 - y);
    for (let x = 0; x < width; x++) {
      const byte = bytes[row + Math.floor(x / perByte)]!;
      all[y * width + x] = (byte >> (8 - bits - (x % perByte) * bits)) & mask;
    }
  }
  return all;
}

/** An index beyond the palette is black, as everywhere. */
function paint(all: Uint8Array, bytes: Buffer, { palette }: BmpHeader, data: Buffer): void {
  const colors = new Uint8Array(256 * 3);
  for (let i = 0; i < palette.count; i++)
    for (let channel = 0; channel < 3; channel++)
      colors[i * 3 + channel] = bytes[palette.at + i * palette.entry + 2 - channel]!;
  for (let i = 0; i < all.length; i++) {
    const color = all[i]! * 3;
    data[i * 3] = colors[color]!;
    data[i * 3 + 1] = colors[color + 1]!;
    data[i * 3 + 2] = colors[color + 2]!;
  }
}

function readTriples(bytes: Buffer, { width, height, dataAt, stride, topDown }: BmpHeader, data: Buffer): void {
  let out = 0;
  for (let y = 0; y < height; y++) {
    let at = dataAt + stride * (topDown ? y : height - 1 - y);
    for (let x = 0; x < width; x++, at += 3) {
      data[out++] = bytes[at + 2]!;
      data[out++] = bytes[at + 1]!;
      data[out++] = bytes[at]!;
    }
  }
}

function readMasked(bytes: Buffer, header: BmpHeader, data: Buffer): void {
  const { width, height, bits, dataAt, stride, topDown, channels, masks } = header;
  let out = 0;
  for (let y = 0; y < height; y++) {
    const row = dataAt + stride * (topDown ? y : height - 1 - y);
    for (let x = 0; x < width; x++) {
      const pixel = bits === 16 ? bytes.readUInt16LE(row + 2 * x) : bytes.readUInt32LE(row + 4 * x);
      for (let channel = 0; channel < channels; channel++) {
        const mask = masks[channel]!;
        const value = (pixel & mask.bits) >>> mask.shift;
        data[out++] = mask.max === 0 ? 0 : Math.round((value * 255) / mask.max);
      }
    }
  }
}

function isAllZero(data: Buffer): boolean {
  for (let at = 3; at < data.length; at += 4) if (data[at] !== 0) return false;
  return true;
}

function opaque(data: Buffer, width: number, height: number): RawPixels {
  const kept = Buffer.allocUnsafeSlow(width * height * 3);
  for (let i = 0; i < width * height; i++) data.copy(kept, i * 3, i * 4, i * 4 + 3);
  return { data: kept, width, height, channels: 3 };
}
