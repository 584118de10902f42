// catalog.ts — the words of this room: a catalog is a customer's CSV of products and image URLs.
//
// Read twice: once while it streams in (`surveyCatalog`: faults, counts, dialect), once again from storage when its rows are
// inserted (`readRows`), so that a million rows never stand in memory. Written in three forms (`writeRows`).

/** How the file was written; enough to read it again and to write it back the same way. Kept as JSON with the batch. */
export type Dialect = {
  encoding: 'utf-8' | 'utf-16le' | 'utf-16be' | 'windows-1252';
  bom: boolean;
  delimiter: ',' | ';' | '\t';
  newline: '\n' | '\r\n' | '\r';
  /** True when every cell of the header was quoted. */
  fullQuotes: boolean;
  /** Header as spelt by the customer, our own trailing columns taken off; absent header = the three standard names. */
  header: string[];
  /** True when the first record of the file is the header. */
  hasHeader: boolean;
  /** How many trailing cells of each row are our own columns of an earlier output. */
  ownColumns: number;
  /** Column indexes in `header`; serial and name may be missing where only URLs are required. */
  serial: number | undefined;
  name: number | undefined;
  urls: number;
};

export type CatalogLimits = { maxRows: number; maxRowUrls: number; maxColumns: number; maxRecordBytes: number };

/** A warning or a fault of one place. `line` is where the record starts; the header is line 1. */
export type CatalogProblem = { code: string; line: number; column?: string; message?: string; value?: string };

export type CatalogUrl = {
  /** The text as it stood in the cell, trimmed. */
  text: string;
  /** What will be fetched: scheme added, blanks as %20. Absent when the text is no URL. */
  url?: string;
};

export type CatalogRow = {
  /** 1-based line where the record starts. */
  line: number;
  /** 1-based number of the data row. */
  number: number;
  serial: string;
  name: string;
  /** Every cell of the customer, own columns taken off, folded: as many as `dialect.header`. */
  cells: string[];
  urls: CatalogUrl[];
  /** Codes such as urls_folded, line_unwrapped, no_image_urls. */
  warnings: string[];
};

export type Survey = {
  dialect: Dialect;
  products: number;
  images: number;
  /** First 100 of `problemCount`. */
  problems: CatalogProblem[];
  problemCount: number;
  /** URLs that can never be fetched (`htp://x`), for ?strict=true: first 100 of `invalidCount`. */
  invalid: CatalogProblem[];
  invalidCount: number;
};

/** One image's place in the output of its row. */
export type OutputSlot = {
  state: 'succeeded' | 'failed' | 'canceled' | 'pending';
  url: string | null;
  code: string | null;
};

export type OutputRow = { cells: string[]; serial: string; name: string; inputs: string[]; slots: OutputSlot[] };

export type OutputForm = 'seed' | 'original' | 'failed';
