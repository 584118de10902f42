// rows.ts — from a record to the customer's cells: unwrapped, folded, padded.
//
// Both readings go through here, so that the survey counts exactly what will be inserted.

import type { Layout } from './dialect.ts';
import { scanRecord, type Scanned } from './scan.ts';

export type Cells = { cells: string[]; warnings: string[] };

/** Records of blank cells only are no rows. */
export function isBlankRecord(record: Scanned): boolean {
  return record.cells.every((cell) => cell === '' || /^[ \t\r\n]*$/.test(cell));
}

/** A record that is one quoted field around a whole line, as the line it was meant to be; any other as it is. */
export function unwrapRecord(record: Scanned, delimiter: string): Scanned {
  const [cell, second] = record.cells;
  if (second !== undefined || !cell?.includes(delimiter)) return record;
  const inner = scanRecord(cell, delimiter, record.line);
  return inner ? { ...inner, newline: record.newline } : record;
}

/** The customer's cells of a data row, as many as the header has. */
export function layCells(record: Scanned, layout: Layout): Cells {
  const width = layout.header.length + layout.ownColumns;
  // In a file of one column a cell with commas is a list of URLs, not a wrapped line.
  const line = width === 1 ? record : unwrapRecord(record, layout.delimiter);
  const warnings = line === record ? [] : ['line_unwrapped'];
  let { cells } = line;
  const surplus = cells.length - width;
  if (surplus > 0) {
    const { urls, delimiter } = layout;
    cells = cells.toSpliced(urls, surplus + 1, cells.slice(urls, urls + surplus + 1).join(delimiter));
    warnings.push('urls_folded');
  }
  if (cells.length > layout.header.length) cells = cells.slice(0, layout.header.length);
  while (cells.length < layout.header.length) cells.push('');
  return { cells, warnings };
}
