// encoding.ts — from the bytes of a catalog to its text.
//
// Whether a file is UTF-8 or Windows-1252 is known only at its end: the first é may stand in row 90,000, and a stream is
// read once. So the survey reads bytes as characters U+0000 to U+00FF: commas, quotes, newlines and URLs are ASCII in both
// encodings, the counts are right whatever the decision will be, and the few texts it keeps are decoded afterwards.

import { problem, type Problem } from '../problem.ts';
import type { Dialect } from './catalog.ts';

type Encoding = Dialect['encoding'];
type Mark = { bytes: number[]; encoding: Encoding };

/** Text of a file that is still arriving. `decode` turns a piece of it into what it says, as far as is known by now. */
export type RawText = {
  texts: AsyncIterable<string>;
  decode: (raw: string) => string;
  /** Only true after the last text. */
  found: () => { encoding: Encoding; bom: boolean };
};

const blockBytes = 16 * 1024;

const marks: Mark[] = [
  { bytes: [0xef, 0xbb, 0xbf], encoding: 'utf-8' },
  { bytes: [0xff, 0xfe], encoding: 'utf-16le' },
  { bytes: [0xfe, 0xff], encoding: 'utf-16be' },
];

const signatures: [hex: RegExp, kind: string][] = [
  [/^25504446/, 'a PDF document'],
  [/^89504e47/, 'a PNG image'],
  [/^ffd8ff/, 'a JPEG image'],
  [/^47494638/, 'a GIF image'],
  [/^52494646.{8}57454250/, 'a WebP image'],
  [/^(?:49492a00|4d4d002a)/, 'a TIFF image'],
  [/^.{8}66747970/, 'an AVIF or HEIC image'],
  [/^1f8b/, 'a gzip archive; unpack it first'],
  [/^d0cf11e0/, 'an Excel workbook; save it as CSV'],
];

/** Reads a file whose encoding is not known yet. Throws `not_csv`. */
export function readRawText(source: AsyncIterable<Buffer>): RawText {
  const strict = new TextDecoder('utf-8', { fatal: true });
  let mark: Mark | undefined;
  let isUtf8 = true;
  const byteEncoding = () => (isUtf8 ? 'utf-8' : 'windows-1252');

  function notice(block: Buffer | undefined): void {
    if (!isUtf8) return;
    try {
      strict.decode(block, { stream: block !== undefined });
    } catch {
      isUtf8 = false;
    }
  }

  async function* texts(): AsyncGenerator<string> {
    let wide: InstanceType<typeof TextDecoder> | undefined;
    let first = true;
    for await (const block of blocksOf(source)) {
      if (first) {
        mark = markOf(block);
        refuseForeign(block);
        if (mark?.encoding.startsWith('utf-16')) wide = new TextDecoder(mark.encoding);
      }
      if (!wide) notice(block);
      const text = wide ? wide.decode(block, { stream: true }) : block.toString('latin1');
      yield withoutNul(first && mark && !wide ? text.slice(mark.bytes.length) : text);
      first = false;
    }
    if (wide) yield withoutNul(wide.decode());
    else notice(undefined);
  }

  return {
    texts: texts(),
    decode: (raw) =>
      mark?.encoding.startsWith('utf-16') ? raw : new TextDecoder(byteEncoding()).decode(Buffer.from(raw, 'latin1')),
    // A byte order mark before bytes that are no UTF-8 is still a mark: spreadsheets of that kind exist.
    found: () => ({ encoding: mark && mark.encoding !== 'utf-8' ? mark.encoding : byteEncoding(), bom: !!mark }),
  };
}

/** Reads a file whose encoding the survey has found. */
export async function* readText(
  source: AsyncIterable<Buffer>,
  dialect: Pick<Dialect, 'encoding' | 'bom'>,
): AsyncGenerator<string> {
  const decoder = new TextDecoder(dialect.encoding);
  // The decoders of UTF-8 and UTF-16 take their own mark off; that of Windows-1252 knows none.
  let foreignMark = dialect.bom && dialect.encoding === 'windows-1252';
  for await (const block of blocksOf(source)) {
    yield decoder.decode(foreignMark ? block.subarray(3) : block, { stream: true });
    foreignMark = false;
  }
  yield decoder.decode();
}

/**
 * The same bytes in blocks of 16 KiB. An unfinished record is scanned again with the next block, so a sender that
 * drips single bytes would otherwise make us scan 64 kB for each. A block is valid until the next one is asked for.
 */
async function* blocksOf(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const block = Buffer.allocUnsafe(blockBytes);
  let filled = 0;
  for await (const chunk of source) {
    let at = 0;
    while (at < chunk.length) {
      const taken = chunk.copy(block, filled, at);
      at += taken;
      filled += taken;
      if (filled < blockBytes) continue;
      yield block;
      filled = 0;
    }
  }
  if (filled > 0) yield block.subarray(0, filled);
}

function markOf(block: Buffer): Mark | undefined {
  return marks.find(({ bytes }) => bytes.every((byte, index) => block[index] === byte));
}

function refuseForeign(block: Buffer): void {
  const head = block.toString('hex', 0, 16);
  const [, kind] = signatures.find(([signature]) => signature.test(head)) ?? [];
  if (kind) throw notCsv(kind);
  if (!head.startsWith('504b0304')) return;
  // An .xlsx is a zip whose entries lie under xl/.
  const isWorkbook = block.includes('[Content_Types].xml') || block.includes('xl/');
  throw notCsv(isWorkbook ? 'an Excel workbook; save it as CSV' : 'a ZIP archive; unpack it first');
}

/** PostgreSQL cannot store U+0000, and no spreadsheet writes it. */
function withoutNul(text: string): string {
  if (text.includes('\0')) throw notCsv('binary data, or UTF-16 without a byte order mark');
  return text;
}

function notCsv(kind: string): Problem {
  return problem('not_csv', { kind }, { extra: { kind } });
}
