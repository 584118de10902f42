// write.ts — a catalog given back: in the seeds' form, as the customer's own file with our columns, or its failed rows.
//
// All three are valid input again, with the same products and images. Rows come in bundles and leave in blocks, so a
// million of them need no more memory than a thousand. Slot n of the outputs belongs to URL n, empty where there is none.

import type { Dialect, OutputForm, OutputRow, OutputSlot } from './catalog.ts';
import { ownColumnNames, standardHeader } from './dialect.ts';
import { separatorOf } from './urls.ts';

export type WriteOptions = {
  dialect: Dialect;
  form: OutputForm;
  /** For people who open the file in a spreadsheet: a BOM, and formulas made harmless. Never on failed rows: they are input. */
  excel?: boolean;
};

type Style = { delimiter: string; newline: string; bom: boolean; quote: (cell: string) => string };

const blockLength = 64 * 1024;

/** The file in blocks of some 64 kB, its header first, whether there are rows or not. */
export async function* writeRows(
  rows: AsyncIterable<OutputRow[]>,
  { dialect, form, excel = false }: WriteOptions,
): AsyncGenerator<Buffer> {
  const style = styleOf(dialect, form, excel && form !== 'failed');
  const line = (cells: string[]) => cells.map(style.quote).join(style.delimiter) + style.newline;
  const cellsOf = form === 'seed' ? seedCells : (row: OutputRow) => originalCells(row, dialect);
  let text = (style.bom ? '\uFEFF' : '') + headerLine(dialect, form, style);
  for await (const bundle of rows) {
    for (const row of bundle) {
      if (form === 'failed' && !row.slots.some(isLost)) continue;
      text += line(cellsOf(row));
      if (text.length < blockLength) continue;
      yield Buffer.from(text);
      text = '';
    }
  }
  if (text !== '') yield Buffer.from(text);
}

function styleOf(dialect: Dialect, form: OutputForm, guarded: boolean): Style {
  const { delimiter, newline, bom, encoding, fullQuotes } = dialect;
  const quote = guarded ? guardedQuote : quoteWhere;
  if (form === 'seed') return { delimiter: ',', newline: '\r\n', bom: guarded, quote: quote(needsQuotes(',')) };
  return {
    delimiter,
    newline,
    bom: guarded || bom || encoding !== 'utf-8',
    quote: quote(fullQuotes ? /^/ : needsQuotes(delimiter)),
  };
}

function headerLine(dialect: Dialect, form: OutputForm, style: Style): string {
  const header = form === 'seed' ? standardHeader : dialect.header;
  const own = form === 'seed' ? ownColumnNames([]).slice(0, 1) : ownColumnNames(header);
  // A foreign delimiter in a header cell is quoted too: the next reader decides by counting them outside quotes.
  const quote = (cell: string) => {
    const text = style.quote(cell);
    return /^[^"]*[,;\t]/.test(text) ? `"${text}"` : text;
  };
  return [...header, ...own].map(quote).join(style.delimiter) + style.newline;
}

/** Blanks at the edge of a cell are quoted as well: unquoted, a reader drops them. */
function needsQuotes(delimiter: string): RegExp {
  return new RegExp(`["\\r\\n${delimiter}]|^[ \\t]|[ \\t]$`);
}

function quoteWhere(needed: RegExp): (cell: string) => string {
  return (cell) => (needed.test(cell) ? quoted(cell) : cell);
}

/** An apostrophe makes a spreadsheet take the cell for text; the full-width forms are formulas in East Asian ones. */
function guardedQuote(needed: RegExp): (cell: string) => string {
  const plain = quoteWhere(needed);
  return (cell) => (/^[=+\-@\t\r\n＝＋－＠]/.test(cell) ? quoted(`'${cell}`) : plain(cell));
}

function quoted(cell: string): string {
  return `"${cell.includes('"') ? cell.replaceAll('"', '""') : cell}"`;
}

function seedCells({ serial, name, inputs, slots }: OutputRow): string[] {
  return [serial, name, inputs.join(','), slots.map(outputOf).join(',')];
}

function originalCells({ cells, slots }: OutputRow, dialect: Dialect): string[] {
  const separator = slots.length > 1 ? separatorOf(cells[dialect.urls] ?? '') : '';
  const errors = slots.flatMap(({ state, code }, index) =>
    isLost({ state }) ? [`${index + 1}:${code ?? state}`] : [],
  );
  return [...cells, slots.map(outputOf).join(separator), statusOf(slots), errors.join('; ')];
}

function outputOf({ state, url }: OutputSlot): string {
  return state === 'succeeded' ? (url ?? '') : '';
}

function isLost({ state }: Pick<OutputSlot, 'state'>): boolean {
  return state === 'failed' || state === 'canceled';
}

/** The word of the row, by the rule that closes a batch: what was canceled decides, then what failed. */
function statusOf(slots: OutputSlot[]): string {
  const has = (state: OutputSlot['state']) => slots.some((slot) => slot.state === state);
  if (slots.length === 0) return 'skipped';
  if (has('pending')) return 'pending';
  if (has('canceled')) return 'canceled';
  if (!has('failed')) return 'succeeded';
  return has('succeeded') ? 'partially_succeeded' : 'failed';
}
