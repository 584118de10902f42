// jpeg-file.ts — walks the segments of a JPEG file (ITU T.81, annex B).
//
// For two questions of the never-larger promise: what is left without metadata, and how coarse was it pressed already.

type Walked = { kept: Buffer[]; lumaTable: number | null; components: number };

/** JPEG without metadata: keeps JFIF, the profile, Adobe's colour transform, tables, frame and scans; ends at EOI. */
export function cleanJpeg(bytes: Buffer): Buffer | null {
  const walked = walk(bytes);
  // Four components are CMYK, which browsers show each in their own way: better newly coded as RGB.
  return walked && walked.components < 4 ? Buffer.concat(walked.kept) : null;
}

/** Sum of the quantisation table for luma; null for anything that is no plain JPEG. The larger, the coarser. */
export function lumaTableSum(bytes: Buffer): number | null {
  return walk(bytes, { headerOnly: true })?.lumaTable ?? null;
}

const standardLuma = [
  16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51,
  87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101,
  72, 92, 95, 98, 112, 100, 103, 99,
];
// mozjpeg's default, by N. Robidoux.
const mozjpegLuma = [
  16, 16, 16, 18, 25, 37, 56, 85, 16, 17, 20, 27, 34, 40, 53, 75, 16, 20, 24, 31, 43, 62, 91, 135, 18, 27, 31, 40, 53,
  74, 106, 156, 25, 34, 43, 53, 69, 94, 131, 189, 37, 40, 62, 74, 94, 124, 169, 238, 56, 53, 91, 106, 131, 169, 226,
  311, 85, 75, 135, 156, 189, 238, 311, 418,
];

/** The sum of the table that we would write at this quality, scaled as libjpeg does (jcparam.c). */
export function writtenTableSum(quality: number, mozjpeg: boolean): number {
  const scale = quality < 50 ? Math.floor(5000 / quality) : 200 - quality * 2;
  const table = mozjpeg ? mozjpegLuma : standardLuma;
  return table.reduce((sum, step) => sum + Math.min(255, Math.max(1, Math.floor((step * scale + 50) / 100))), 0);
}

function walk(bytes: Buffer, { headerOnly = false } = {}): Walked | null {
  const kept = [bytes.subarray(0, 2)];
  const tables = new Map<number, number>();
  let luma: number | null = null;
  let components = 0;
  let at = 2;
  while (at + 4 <= bytes.length) {
    if (bytes[at] !== 0xff) return null;
    const marker = bytes[at + 1]!;
    // Fill bytes may stand before a marker (B.1.1.2).
    if (marker === 0xff) {
      at++;
      continue;
    }
    const end = at + 2 + bytes.readUInt16BE(at + 2);
    if (end > bytes.length || end < at + 4) return null;
    const segment = bytes.subarray(at, end);
    if (marker === 0xdb) addTables(segment, tables);
    if (isFrame(marker)) {
      if (segment.length < 13) return null;
      components = segment[9]!;
      luma = tables.get(segment[12]!) ?? null;
    }
    if (isKept(marker, segment)) kept.push(segment);
    at = end;
    if (marker !== 0xda) continue;
    if (headerOnly) return { kept, lumaTable: luma, components };
    at = endOfScan(bytes, end);
    kept.push(bytes.subarray(end, at));
    if (bytes[at + 1] !== 0xd9) continue;
    kept.push(bytes.subarray(at, at + 2));
    return { kept, lumaTable: luma, components };
  }
  return null;
}

/** SOF0 to SOF15 without DHT, JPG and DAC, which share the range. */
const isFrame = (marker: number): boolean => marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);

function isKept(marker: number, segment: Buffer): boolean {
  const name = segment.toString('latin1', 4, 16);
  if (marker === 0xe0) return name.startsWith('JFIF\0');
  if (marker === 0xe2) return name.startsWith('ICC_PROFILE\0');
  if (marker === 0xee) return name.startsWith('Adobe');
  return marker !== 0xfe && !(marker >= 0xe0 && marker <= 0xef);
}

/** Adds up each table of a DQT segment; one segment may hold several, of 8 or 16 bit. */
function addTables(segment: Buffer, tables: Map<number, number>): void {
  let at = 4;
  while (at < segment.length) {
    const wide = segment[at]! >> 4 !== 0;
    const id = segment[at]! & 15;
    const end = at + 1 + (wide ? 128 : 64);
    if (end > segment.length) return;
    let sum = 0;
    for (let i = at + 1; i < end; i += wide ? 2 : 1) sum += wide ? segment.readUInt16BE(i) : segment[i]!;
    tables.set(id, sum);
    at = end;
  }
}

/** Where the coded data of a scan ends: at the next marker that is neither stuffing nor a restart. */
function endOfScan(bytes: Buffer, start: number): number {
  let at = start;
  for (;;) {
    at = bytes.indexOf(0xff, at);
    if (at < 0 || at + 1 >= bytes.length) return bytes.length;
    const next = bytes[at + 1]!;
    if (next !== 0 && next !== 0xff && !(next >= 0xd0 && next <= 0xd7)) return at;
    at += next === 0xff ? 1 : 2;
  }
}
