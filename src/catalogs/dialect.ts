// dialect.ts — what the first line of a catalog tells: its delimiter, its columns, and which of them are ours.
//
// Our own trailing columns of an earlier output are recognised and taken off, so that an output is valid input again.

import { problem, type Problem } from '../problem.ts';
import type { Dialect } from './catalog.ts';
import type { Scanned } from './scan.ts';

type Delimiter = Dialect['delimiter'];
type Role = 'serial' | 'name' | 'urls';
/** Everything of the dialect but what only the end of the file tells. */
export type Layout = Omit<Dialect, 'encoding' | 'bom'>;

export const standardHeader = ['S. No.', 'Product Name', 'Input Image Urls'];

/** For rows that never stood in a file: images uploaded one by one. */
export const standardDialect: Dialect = {
  encoding: 'utf-8',
  bom: false,
  delimiter: ',',
  newline: '\r\n',
  fullQuotes: false,
  header: standardHeader,
  hasHeader: true,
  ownColumns: 0,
  serial: 0,
  name: 1,
  urls: 2,
};

const delimiters = [',', ';', '\t'] as const;

const ownNames = ['Output Image Urls', 'Status', 'Errors'];

const aliases: Record<Role, string[]> = {
  serial: 'sno serialnumber serialno srno slno serial sn no'.split(' '),
  name: 'productname product name sku'.split(' '),
  urls: 'inputimageurls inputimageurl imageurls imageurl inputurls inputimages urls url images image'.split(' '),
};

/** The most frequent of `,` `;` TAB outside quotes in the first line of `text` that is not blank. */
export function detectDelimiter(text: string): Delimiter {
  const { outside, inside } = splitAtQuotes(text.replace(/^[\r\n \t]*[\r\n]/, ''));
  // A line that is one quoted field was wrapped as a whole: its delimiters are inside.
  return mostFrequent(outside) ?? mostFrequent(inside) ?? ',';
}

/**
 * Reads the first record that is not blank. Throws `csv_missing_columns`; `extra.missing` names the columns as the
 * standard spells them.
 */
export function readLayout(record: Scanned, delimiter: Delimiter, required: 'all' | 'urls'): Layout {
  const { cells, quoted, newline } = record;
  const ownColumns = countOwnColumns(cells);
  const header = cells.slice(0, cells.length - ownColumns);
  const [serial, name, urls] = [findColumn(header, 'serial'), findColumn(header, 'name'), findColumn(header, 'urls')];
  const shape = { delimiter, newline: newline || '\n' } as const;
  if (urls === undefined && cells.slice(2).some((cell) => cell.includes('://'))) {
    const columns = { header: standardHeader, serial: 0, name: 1, urls: 2 };
    return { ...shape, ...columns, fullQuotes: false, hasHeader: false, ownColumns: 0 };
  }
  const needed = required === 'all' ? [serial, name, urls] : [0, 0, urls];
  const missing = standardHeader.filter((_, index) => needed[index] === undefined);
  if (urls === undefined || missing.length > 0) throw missingColumns(missing);
  return { ...shape, fullQuotes: quoted, header, hasHeader: true, ownColumns, serial, name, urls };
}

/** What our three columns are called beside the customer's: a name that is taken gets ours before it. */
export function ownColumnNames(header: string[]): string[] {
  const taken = new Set(header.map(plain));
  return ownNames.map((name) => (taken.has(plain(name)) ? `Darkroom ${name}` : name));
}

function countOwnColumns(cells: string[]): number {
  const isOwn = (cell: string | undefined, index: number) =>
    plain(cell ?? '').replace(/^darkroom/, '') === plain(ownNames[index] ?? '');
  if (cells.length >= 3 && cells.slice(-3).every(isOwn)) return 3;
  return isOwn(cells.at(-1), 0) ? 1 : 0;
}

/** The first alias of the list wins, then the leftmost column. */
function findColumn(header: string[], role: Role): number | undefined {
  const names = header.map(plain);
  const alias = aliases[role].find((each) => names.includes(each));
  return alias === undefined ? undefined : names.indexOf(alias);
}

/** ASCII is picked out first: lower-casing turns some foreign letters into ASCII ones. */
function plain(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9]/g, '').toLowerCase();
}

function mostFrequent(text: string): Delimiter | undefined {
  const count = (delimiter: string) => text.split(delimiter).length - 1;
  let best: Delimiter = ',';
  for (const each of delimiters) if (count(each) > count(best)) best = each;
  return text.includes(best) ? best : undefined;
}

/** The characters of the first line that stand in quoted cells, and the others. */
function splitAtQuotes(text: string): { outside: string; inside: string } {
  const found = { outside: '', inside: '' };
  let isInside = false;
  // Quotes count only in a cell that begins with one: 24" frame has none.
  let cell: 'begins' | 'quoted' | 'plain' = 'begins';
  for (const char of text) {
    if (char === '"' && cell !== 'plain') {
      isInside = !isInside;
      cell = 'quoted';
    } else if (isInside) found.inside += char;
    else if (char === '\n' || char === '\r') break;
    else {
      found.outside += char;
      if (delimiters.some((each) => each === char)) cell = 'begins';
      else if (char !== ' ') cell = 'plain';
    }
  }
  return found;
}

function missingColumns(missing: string[]): Problem {
  return problem('csv_missing_columns', { columns: missing.join(', ') }, { extra: { missing } });
}
