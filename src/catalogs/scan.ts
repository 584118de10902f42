// scan.ts — from text to records: RFC 4180 as people really write it.
//
// Takes the text in pieces of any size. CRLF, LF and CR may be mixed; blanks around cells are dropped; a quote inside an
// unquoted cell is text (24" frame). What it refuses: text after a closing quote, a quote that is never closed, and a
// record that is far too long, noticed as soon as that much of it has arrived. Why this is not csv-parse: docs/decisions/0008.

import { problem, problemSaying, type Problem } from '../problem.ts';

export type Scanned = {
  /** 1-based line where the record starts. */
  line: number;
  cells: string[];
  /** True when every cell was quoted. */
  quoted: boolean;
  /** Characters of the record as it stood, its newline counted. */
  length: number;
  newline: '\n' | '\r\n' | '\r' | '';
};

export type Scanner = {
  /** May be set until the first record that is not blank has been pushed. */
  delimiter: string;
  /** Records that are complete by now. */
  push(text: string): Scanned[];
  /** The last record, if the text does not end with a newline. */
  end(): Scanned[];
};

type Piece = Omit<Scanned, 'line' | 'length'> & { end: number };

/**
 * Our output of a record is longer than the record: quotes are doubled, results and reasons added. It must be accepted
 * again, so this much more than `maxRecordBytes` may arrive; the survey judges the customer's own cells exactly.
 */
const outputGrowth = 3;

const quote = 34;
const lineFeed = 10;
const carriageReturn = 13;

export function createScanner(options: { delimiter: string; maxRecordBytes: number }): Scanner {
  const { maxRecordBytes } = options;
  let rest = '';
  let line = 1;

  function scan(text: string, atEnd: boolean): Scanned[] {
    const all = rest + text;
    const split = scanner.delimiter.charCodeAt(0);
    const records: Scanned[] = [];
    let at = 0;
    while (at < all.length) {
      // Blank lines are not worth a record: a file may consist of them.
      const blankLine = newlineLength(all, at);
      if (blankLine > 0) {
        line++;
        at += blankLine;
        continue;
      }
      const piece = scanPiece(all, at, { split, atEnd, line });
      const length = (piece?.end ?? all.length) - at;
      if (length > maxRecordBytes * outputGrowth) throw tooLong(line, maxRecordBytes);
      if (!piece) break;
      const { cells, quoted, newline } = piece;
      records.push({ line, cells, quoted, newline, length });
      line += (newline === '' ? 0 : 1) + newlinesWithin(cells);
      at = piece.end;
    }
    rest = all.slice(at);
    return records;
  }

  const scanner: Scanner = {
    delimiter: options.delimiter,
    push: (text) => scan(text, false),
    end: () => scan('', true),
  };
  return scanner;
}

/** The one record that `text` is, or undefined when it is several. */
export function scanRecord(text: string, delimiter: string, line: number): Scanned | undefined {
  const piece = scanPiece(text, 0, { split: delimiter.charCodeAt(0), atEnd: true, line });
  if (!piece || piece.end < text.length) return undefined;
  return { line, cells: piece.cells, quoted: piece.quoted, newline: piece.newline, length: text.length };
}

/** Undefined: the record goes on beyond the text that is here. */
function scanPiece(
  text: string,
  start: number,
  { split, atEnd, line }: { split: number; atEnd: boolean; line: number },
): Piece | undefined {
  const cells: string[] = [];
  let quoted = true;
  let at = start;
  for (;;) {
    at = skipBlanks(text, at, split);
    if (text.charCodeAt(at) === quote) {
      const close = closingQuote(text, at + 1);
      if (close === -1 && atEnd) throw syntax(line, 'a quote is opened and never closed');
      if (close === -1) return undefined;
      const cell = text.slice(at + 1, close);
      cells.push(cell.includes('"') ? cell.replaceAll('""', '"') : cell);
      at = skipBlanks(text, close + 1, split);
      if (at < text.length && !endsCell(text.charCodeAt(at), split)) throw syntax(line, 'text follows a closing quote');
    } else {
      quoted = false;
      const from = at;
      while (at < text.length && !endsCell(text.charCodeAt(at), split)) at++;
      let to = at;
      while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
      cells.push(text.slice(from, to));
    }
    if (at === text.length) return atEnd ? { cells, quoted, newline: '', end: at } : undefined;
    const code = text.charCodeAt(at);
    if (code !== split) break;
    at++;
  }
  const width = newlineLength(text, at) || (atEnd ? 1 : 0);
  if (width === 0) return undefined;
  // The three newlines are all that newlineLength measures.
  return { cells, quoted, newline: text.slice(at, at + width) as Scanned['newline'], end: at + width };
}

/** Characters of the newline at `at`: 0 when there is none, or when a CR that ends the text may become a CRLF. */
function newlineLength(text: string, at: number): number {
  const code = text.charCodeAt(at);
  if (code === lineFeed) return 1;
  if (code !== carriageReturn || at + 1 === text.length) return 0;
  return text.charCodeAt(at + 1) === lineFeed ? 2 : 1;
}

function endsCell(code: number, split: number): boolean {
  return code === split || code === lineFeed || code === carriageReturn;
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9;
}

function skipBlanks(text: string, from: number, split: number): number {
  let at = from;
  while (at < text.length && isBlank(text.charCodeAt(at)) && text.charCodeAt(at) !== split) at++;
  return at;
}

function closingQuote(text: string, from: number): number {
  let at = text.indexOf('"', from);
  while (at !== -1 && text.charCodeAt(at + 1) === quote) at = text.indexOf('"', at + 2);
  return at;
}

function newlinesWithin(cells: string[]): number {
  let count = 0;
  for (const cell of cells) {
    for (let at = cell.indexOf('\n'); at !== -1; at = cell.indexOf('\n', at + 1)) count++;
    for (let at = cell.indexOf('\r'); at !== -1; at = cell.indexOf('\r', at + 1)) {
      if (cell.charCodeAt(at + 1) !== lineFeed) count++;
    }
  }
  return count;
}

function syntax(line: number, reason: string): Problem {
  return problem('csv_syntax', { line, reason }, { extra: { line } });
}

function tooLong(line: number, maxRecordBytes: number): Problem {
  const limit = `${Math.floor(maxRecordBytes / 1024)} kB`;
  const sentence = `Line ${line}: the row is longer than ${limit}; a closing quote may be missing.`;
  return problemSaying('too_large', sentence, { extra: { line } });
}
