// read.ts — the second reading of a catalog, from storage: its rows, in bundles.
//
// Knows the dialect from the survey, checks nothing a second time, and can begin after the rows that were already taken.

import type { CatalogLimits, CatalogRow, CatalogUrl, Dialect } from './catalog.ts';
import { readText } from './encoding.ts';
import { isBlankRecord, layCells } from './rows.ts';
import { createScanner, type Scanned } from './scan.ts';
import { judgeUrl, splitUrls } from './urls.ts';

export type ReadOptions = {
  dialect: Dialect;
  limits: CatalogLimits;
  /** Data rows to pass over: those an earlier run has taken. */
  skip?: number;
};

const bundleRows = 500;

/** The rows of a catalog in file order, five hundred at a time. */
export async function* readRows(source: AsyncIterable<Buffer>, options: ReadOptions): AsyncGenerator<CatalogRow[]> {
  const { dialect, skip = 0 } = options;
  // The header counts as row 0, so that the first data row is number 1 in either case.
  let next = dialect.hasHeader ? 0 : 1;
  let bundle: CatalogRow[] = [];
  for await (const records of recordsOf(source, options)) {
    for (const record of records) {
      if (isBlankRecord(record)) continue;
      const number = next++;
      if (number <= skip) continue;
      bundle.push(toRow(record, number, dialect));
      if (bundle.length < bundleRows) continue;
      yield bundle;
      bundle = [];
    }
  }
  if (bundle.length > 0) yield bundle;
}

async function* recordsOf(source: AsyncIterable<Buffer>, { dialect, limits }: ReadOptions): AsyncGenerator<Scanned[]> {
  const { delimiter } = dialect;
  const scanner = createScanner({ delimiter, maxRecordBytes: limits.maxRecordBytes });
  for await (const text of readText(source, dialect)) yield scanner.push(text);
  yield scanner.end();
}

function toRow(record: Scanned, number: number, dialect: Dialect): CatalogRow {
  const { cells, warnings } = layCells(record, dialect);
  const urls = splitUrls(cells[dialect.urls] ?? '').map(toUrl);
  if (urls.length === 0) warnings.push('no_image_urls');
  const serial = cellAt(cells, dialect.serial) || String(number);
  return { line: record.line, number, serial, name: cellAt(cells, dialect.name), cells, urls, warnings };
}

function cellAt(cells: string[], index: number | undefined): string {
  return (index === undefined ? '' : (cells[index] ?? '')).trim();
}

function toUrl(text: string): CatalogUrl {
  const url = judgeUrl(text);
  return url === undefined ? { text } : { text, url };
}
