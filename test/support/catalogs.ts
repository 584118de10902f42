// catalogs.ts — catalogs as a test sees them: text in, rows or a problem out, and back to text.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { CatalogLimits, CatalogRow, Dialect, OutputForm, OutputRow, Survey } from '../../src/catalogs/catalog.ts';
import { readRows } from '../../src/catalogs/read.ts';
import { surveyCatalog } from '../../src/catalogs/survey.ts';
import { writeRows } from '../../src/catalogs/write.ts';
import { Problem } from '../../src/problem.ts';

export const limits: CatalogLimits = { maxRows: 1000, maxRowUrls: 100, maxColumns: 50, maxRecordBytes: 64 * 1024 };

export const standard = 'S. No.,Product Name,Input Image Urls\n';

export type Options = { required?: 'all' | 'urls'; limits?: Partial<CatalogLimits>; chunk?: number };
export type Reading = { survey: Survey; rows: CatalogRow[] };

/** The bytes in chunks of a size, as a socket might hand them over. */
export async function* chunksOf(content: string | Buffer, size = Infinity): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(content);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export function survey(content: string | Buffer, options: Options = {}): Promise<Survey> {
  return surveyCatalog(chunksOf(content, options.chunk), {
    limits: { ...limits, ...options.limits },
    required: options.required ?? 'all',
  });
}

export async function rowsOf(
  content: string | Buffer,
  dialect: Dialect,
  options: { chunk?: number; skip?: number } = {},
): Promise<CatalogRow[]> {
  const rows: CatalogRow[] = [];
  for await (const bundle of readRows(chunksOf(content, options.chunk), { dialect, limits, skip: options.skip }))
    rows.push(...bundle);
  return rows;
}

/** Both readings, which must agree. */
export async function read(content: string | Buffer, options: Options = {}): Promise<Reading> {
  const found = await survey(content, options);
  const rows = await rowsOf(content, found.dialect, { chunk: options.chunk });
  const images = rows.reduce((sum, row) => sum + row.urls.length, 0);
  if (rows.length !== found.products || images !== found.images)
    throw new Error(`The survey counts ${found.products}/${found.images}, the rows are ${rows.length}/${images}.`);
  return { survey: found, rows };
}

export async function problemOf(promise: Promise<unknown>): Promise<Problem> {
  const thrown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (thrown instanceof Problem) return thrown;
  throw new Error(`expected a Problem, got ${String(thrown)}`);
}

/** `1: 2, 2: 1` = serial 1 has two images, serial 2 has one. */
export function tally(rows: CatalogRow[]): string {
  return rows.map((row) => `${row.serial}: ${row.urls.length}`).join(', ');
}

/** The row as it is when its images have ended; by default the second of each has failed. */
export function settled(row: CatalogRow, fails: (position: number) => boolean = (at) => at === 1): OutputRow {
  const slots = row.urls.map((_, at) =>
    fails(at)
      ? { state: 'failed' as const, url: null, code: 'not_found' }
      : { state: 'succeeded' as const, url: `https://d.test/v1/files/${row.number}-${at + 1}.jpg`, code: null },
  );
  return { cells: row.cells, serial: row.serial, name: row.name, inputs: row.urls.map(({ text }) => text), slots };
}

export async function write(
  rows: OutputRow[],
  dialect: Dialect,
  form: OutputForm = 'original',
  excel = false,
): Promise<Buffer> {
  async function* bundles() {
    yield rows;
  }
  return Buffer.concat(await Array.fromAsync(writeRows(bundles(), { dialect, form, excel })));
}

const samplesFolder = new URL('../../../shared/samples/csv/', import.meta.url);
const corporaFolder = new URL('../../../shared/corpora/csv/', import.meta.url);

/** False where the shared folder is absent; says so once. */
export const hasShared = existsSync(samplesFolder) && existsSync(corporaFolder);
if (!hasShared) console.warn('SKIPPED: tests on ../shared/samples/csv and ../shared/corpora/csv, which are absent.');

export function sampleBytes(name: string): Buffer {
  return readFileSync(new URL(name, samplesFolder));
}

/** Names and bytes of a set of the CSV corpora. */
export function corpusFiles(set: string): { name: string; bytes: Buffer }[] {
  if (!hasShared) return [];
  const folder = new URL(`${set}/`, corporaFolder);
  return readdirSync(folder).map((name) => ({ name, bytes: readFileSync(new URL(name, folder)) }));
}
