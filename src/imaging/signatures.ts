// signatures.ts — the first bytes of a file and what they say.
//
// Looks at bytes and never decodes, so it may run in any process; 4 kB of head are enough for all it knows.

import type { Format } from './imaging.ts';

export type Sniffed =
  | { kind: 'picture'; format: Format }
  /** A picture, but of a kind that nobody reads here. */
  | { kind: 'unsupported'; name: string }
  /** No picture at all; `name` says what it looks like. */
  | { kind: 'other'; name: string };

/** Tells what a file is that begins with `head`. */
export function recognise(head: Buffer): Sniffed {
  const found = signatures.find(({ at = 0, bytes }) => head.subarray(at, at + bytes.length).equals(bytes));
  if (found) return found.is(head);
  if (isBmp(head)) return picture('bmp');
  return sniffText(head);
}

type Signature = { at?: number; bytes: Buffer; is: (head: Buffer) => Sniffed };

const picture = (format: Format): Sniffed => ({ kind: 'picture', format });
const unsupported = (name: string) => (): Sniffed => ({ kind: 'unsupported', name });
const other = (name: string) => (): Sniffed => ({ kind: 'other', name });
const sign = (bytes: string, is: (head: Buffer) => Sniffed, at = 0): Signature => ({
  at,
  bytes: Buffer.from(bytes, 'latin1'),
  is,
});

const signatures: Signature[] = [
  sign('\xff\xd8\xff', () => picture('jpeg')),
  sign('\x89PNG\r\n\x1a\n', () => picture('png')),
  sign('GIF8', () => picture('gif')),
  sign('RIFF', (head) => (head.toString('latin1', 8, 12) === 'WEBP' ? picture('webp') : other('a RIFF file')())),
  sign('II*\0', () => picture('tiff')),
  sign('MM\0*', () => picture('tiff')),
  sign('II+\0', () => picture('tiff')),
  sign('MM\0+', () => picture('tiff')),
  sign('ftyp', isobmff, 4),
  sign('P1', pnm),
  sign('P2', pnm),
  sign('P3', pnm),
  sign('P4', pnm),
  sign('P5', pnm),
  sign('P6', pnm),
  sign('P7\n', unsupported('PAM')),
  sign('PF\n', unsupported('PFM')),
  sign('Pf\n', unsupported('PFM')),
  sign('\xff\x0a', unsupported('JPEG XL')),
  sign('\0\0\0\x0cJXL \r\n\x87\n', unsupported('JPEG XL')),
  sign('\0\0\0\x0cjP  \r\n\x87\n', unsupported('JPEG 2000')),
  sign('\xff\x4f\xff\x51', unsupported('JPEG 2000')),
  sign('8BPS', unsupported('Photoshop')),
  sign('\0\0\x01\0', unsupported('ICO')),
  sign('\0\0\x02\0', unsupported('CUR')),
  sign('%PDF', unsupported('PDF')),
  sign('%!PS', unsupported('PostScript')),
  sign('\xc5\xd0\xd3\xc6', unsupported('EPS')),
  sign('DDS ', unsupported('DDS')),
  sign('qoif', unsupported('QOI')),
  sign('#?RADIANCE', unsupported('Radiance HDR')),
  sign('v/1\x01', unsupported('OpenEXR')),
  sign('gimp xcf', unsupported('GIMP')),
  sign('farbfeld', unsupported('farbfeld')),
  sign('SIMPLE  =', unsupported('FITS')),
  sign('\x01\xda', unsupported('SGI')),
  sign('BLP', unsupported('BLP')),
  sign('PK\x03\x04', other('a ZIP archive')),
  sign('\x1f\x8b', other('a gzip archive')),
  sign('7z\xbc\xaf', other('a 7z archive')),
  sign('Rar!', other('a RAR archive')),
  sign('\x7fELF', other('a program')),
  sign('MZ', other('a program')),
  sign('\x1aE\xdf\xa3', other('a video')),
  sign('OggS', other('audio or video')),
  sign('ID3', other('audio')),
];

function pnm(head: Buffer): Sniffed {
  // "P5" alone begins many a text; what follows must be white space or a comment.
  return /^P[1-6][\s#]/.test(head.toString('latin1', 0, 3)) ? picture('pnm') : sniffText(head);
}

/** ISO base media: the brands say whether it is AVIF, HEIC or a film. */
function isobmff(head: Buffer): Sniffed {
  const length = Math.min(head.readUInt32BE(0), head.length, 256);
  const brands: string[] = head.toString('latin1', 8, length).match(/[^]{4}/g) ?? [];
  if (brands.includes('avif') || brands.includes('avis')) return picture('avif');
  if (brands.some((brand) => ['heic', 'heix', 'hevc', 'heim', 'heis', 'mif1', 'msf1'].includes(brand)))
    return { kind: 'unsupported', name: 'HEIC' };
  return { kind: 'other', name: 'a video' };
}

/** "BM" begins many a text, so the header that follows must be of a known length. */
function isBmp(head: Buffer): boolean {
  if (head.toString('latin1', 0, 2) !== 'BM') return false;
  return head.length < 18 || [12, 16, 40, 52, 56, 64, 108, 124].includes(head.readUInt32LE(14));
}

function sniffText(head: Buffer): Sniffed {
  if (head.length === 0) return { kind: 'other', name: 'an empty file' };
  const text = textOf(head);
  const start = text.trimStart().slice(0, 200).toLowerCase();
  if (/^(?:<!doctype html|<html|<head|<body|<script|<title)/.test(start))
    return { kind: 'other', name: 'an HTML page' };
  if (start.startsWith('<') && /<svg[\s>]/i.test(text)) return { kind: 'unsupported', name: 'SVG' };
  if (start.startsWith('<?xml') || start.startsWith('<')) return { kind: 'other', name: 'an XML or HTML text' };
  if (/^[{[]/.test(start)) return { kind: 'other', name: 'JSON' };
  // Control characters hardly occur in text; a NUL never does.
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  const isText = !/[\0-\x08\x0e-\x1a\x1c-\x1f]/.test(text);
  return { kind: 'other', name: isText ? 'a text' : 'unknown data' };
}

function textOf(head: Buffer): string {
  if (head[0] === 0xff && head[1] === 0xfe) return head.toString('utf16le', 2);
  return head.toString('latin1').replace(/^\xef\xbb\xbf/, '');
}
