// survey.ts — the first reading of a catalog, while it arrives: is it one, how was it written, how many images has it.
//
// Every fault of the file as a whole is thrown here, so that nothing is stored for a file that cannot be used. Faults of
// single rows are counted and the first hundred kept. Memory stays flat: nothing grows with the file.

import { entryOf, isCode, problem, problemSaying, type Problem } from '../problem.ts';
import type { CatalogLimits, CatalogProblem, Dialect, Survey } from './catalog.ts';
import { detectDelimiter, readLayout, type Layout } from './dialect.ts';
import { readRawText } from './encoding.ts';
import { isBlankRecord, layCells, unwrapRecord } from './rows.ts';
import { createScanner, type Scanned } from './scan.ts';
import { judgeUrl, splitUrls } from './urls.ts';

export type SurveyOptions = { limits: CatalogLimits; required: 'all' | 'urls' };

const mostKept = 100;
const mostShown = 2_048;
/** As many rows as a spreadsheet has. */
const mostBlanks = 1_048_576;

const sentences: Record<string, string> = {
  decoded_as_windows_1252: 'The file is not UTF-8; it was read as Windows-1252.',
  no_header: 'The file has no header; its columns were taken as serial number, name and URLs.',
  line_unwrapped: 'The whole line was quoted; it was taken apart.',
  urls_folded: 'The row has more cells than the header; the surplus was added to its URLs.',
  no_image_urls: 'The row has no image URL.',
};

/**
 * Reads a catalog once while it streams in. Throws the file's fault: `not_csv`, `csv_empty`, `csv_no_rows`,
 * `csv_missing_columns`, `csv_no_urls`, `csv_syntax`, `too_many_rows`, `too_large`; the source is then closed, as by any
 * `for await` that is left early.
 */
export async function surveyCatalog(source: AsyncIterable<Buffer>, options: SurveyOptions): Promise<Survey> {
  const raw = readRawText(source);
  const scanner = createScanner({ delimiter: ',', maxRecordBytes: options.limits.maxRecordBytes });
  const tally = createTally(options, raw.decode);
  let delimiter: Dialect['delimiter'] | undefined;
  let blanks = 0;
  const add = (records: Scanned[]) => {
    for (const record of records) {
      if (!isBlankRecord(record)) tally.add(record, delimiter ?? ',');
      else if (++blanks > mostBlanks) throw problemSaying('too_many_rows', 'The catalog has too many blank rows.');
    }
  };
  for await (const text of raw.texts) {
    if (!delimiter && /[^ \t\r\n]/.test(text)) scanner.delimiter = delimiter = detectDelimiter(text);
    add(scanner.push(text));
  }
  add(scanner.end());
  return tally.finish(raw.found());
}

function createTally({ limits, required }: SurveyOptions, decode: (raw: string) => string) {
  let layout: Layout | undefined;
  let products = 0;
  let images = 0;
  const problems = createList();
  const invalid = createList();

  function add(record: Scanned, delimiter: Dialect['delimiter']): void {
    if (layout) return addRow(record, layout);
    layout = readLayout(unwrapRecord(record, delimiter), delimiter, required);
    if (layout.header.length > limits.maxColumns) throw tooLarge(record, `more than ${limits.maxColumns} columns`);
    if (layout.hasHeader) return;
    problems.add('no_header', record);
    addRow(record, layout);
  }

  function addRow(record: Scanned, known: Layout): void {
    products++;
    if (products > limits.maxRows) throw tooManyRows(limits);
    const { cells, warnings } = layCells(record, known);
    if (record.length > limits.maxRecordBytes && lengthOf(cells) > limits.maxRecordBytes)
      throw tooLarge(record, `more than ${Math.floor(limits.maxRecordBytes / 1024)} kB`);
    const urls = splitUrls(cells[known.urls] ?? '');
    if (urls.length > limits.maxRowUrls)
      throw tooLarge(record, `more than ${limits.maxRowUrls} URLs (DARKROOM_MAX_ROW_URLS)`);
    images += urls.length;
    for (const code of warnings) problems.add(code, record);
    if (urls.length === 0) problems.add('no_image_urls', record);
    for (const url of urls) if (!isFetchable(url)) invalid.add('invalid_url', record, url);
  }

  /** The host may be spelt in any script, so a URL is judged as it reads, not as its bytes. */
  function isFetchable(url: string): boolean {
    return judgeUrl(isAscii(url) ? url : decode(url)) !== undefined;
  }

  function finish({ encoding, bom }: Pick<Dialect, 'encoding' | 'bom'>): Survey {
    if (!layout) throw problem('csv_empty');
    if (products === 0) throw problem('csv_no_rows');
    if (images === 0) throw problem('csv_no_urls');
    if (encoding === 'windows-1252') problems.addFirst('decoded_as_windows_1252');
    const header = layout.header.map(decode);
    const column = header[layout.urls];
    return {
      dialect: { encoding, bom, ...layout, header },
      products,
      images,
      problems: problems.kept,
      problemCount: problems.count(),
      invalid: invalid.kept.map((each) => ({ ...each, column, value: decode(each.value ?? '') })),
      invalidCount: invalid.count(),
    };
  }

  return { add, finish };
}

/** Counts all problems and keeps the first hundred. */
function createList() {
  const kept: CatalogProblem[] = [];
  let count = 0;

  function add(code: string, { line }: Scanned, value?: string): void {
    if (++count > mostKept) return;
    // Through bytes and back: a slice of a string would keep the whole block in memory.
    const copy = value === undefined ? {} : { value: Buffer.from(value.slice(0, mostShown)).toString() };
    kept.push({ code, line, message: messageOf(code), ...copy });
  }

  function addFirst(code: string): void {
    count++;
    kept.unshift({ code, line: 1, message: messageOf(code) });
    kept.splice(mostKept);
  }

  return { kept, count: () => count, add, addFirst };
}

function messageOf(code: string): string | undefined {
  return sentences[code] ?? (isCode(code) ? entryOf(code).title : undefined);
}

function isAscii(text: string): boolean {
  return !/\P{ASCII}/u.test(text);
}

function lengthOf(cells: string[]): number {
  return cells.reduce((sum, cell) => sum + cell.length, cells.length);
}

function tooManyRows({ maxRows }: CatalogLimits): Problem {
  return problem('too_many_rows', { limit: maxRows.toLocaleString('en'), setting: 'DARKROOM_MAX_ROWS' });
}

function tooLarge({ line }: Scanned, what: string): Problem {
  return problemSaying('too_large', `Line ${line}: the row has ${what}.`, { extra: { line } });
}
