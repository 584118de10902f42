// What holds for every catalog, also those nobody thought of.

import { parse } from 'csv-parse/sync';
import { fc } from './support/properties.ts';
import { expect, test } from 'vitest';
import type { Dialect } from '../src/catalogs/catalog.ts';
import { standardDialect } from '../src/catalogs/dialect.ts';
import { createScanner, type Scanned } from '../src/catalogs/scan.ts';
import { Problem } from '../src/problem.ts';
import { read, rowsOf, settled, standard, survey, write } from './support/catalogs.ts';

// Letters alone never meet a boundary: most of the text is made of what means something to a reader.
const sharp = [
  '"',
  '""',
  ',',
  ';',
  '\t',
  '|',
  ' ',
  '\n',
  '\r',
  '\r\n',
  '\u00a0',
  'é',
  '//',
  'www.',
  'https://a/1',
  '-',
  'x',
  '=',
  '1',
];
const text = fc
  .array(fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...sharp) }, fc.string({ unit: 'binary', maxLength: 3 })), {
    maxLength: 12,
  })
  .map((parts) => parts.join('').replaceAll('\0', ''));
const lines = fc.array(text, { minLength: 1, maxLength: 8 }).map((parts) => parts.join('\n'));
const runs = { numRuns: 300 };

test('any table of cells that is written is read again the same', async () => {
  const table = fc.record({
    delimiter: fc.constantFrom(',' as const, ';' as const, '\t' as const),
    newline: fc.constantFrom('\n' as const, '\r\n' as const, '\r' as const),
    fullQuotes: fc.boolean(),
    others: fc.array(text, { maxLength: 4 }),
    rows: fc.array(fc.array(text, { minLength: 4, maxLength: 4 }), { minLength: 1, maxLength: 5 }),
  });
  await fc.assert(
    fc.asyncProperty(table, async ({ others, rows, ...style }) => {
      const header = ['Input Image Urls', ...others];
      const dialect: Dialect = { ...standardDialect, ...style, header, urls: 0, serial: undefined, name: undefined };
      const cells = rows.map((row) => ['https://a/1', ...row.slice(0, others.length)]);
      const output = await write(
        cells.map((row) => ({ cells: row, serial: '', name: '', inputs: [], slots: [] })),
        dialect,
      );
      const again = await read(output, { required: 'urls' });
      expect(again.rows.map((row) => row.cells)).toEqual(cells);
      expect(again.survey.dialect).toMatchObject({ ...style, header, ownColumns: 3 });
    }),
    runs,
  );
});

test('chunks of any size give the same survey and the same rows', async () => {
  await fc.assert(
    fc.asyncProperty(lines, fc.integer({ min: 1, max: 9 }), fc.boolean(), async (body, chunk, isWide) => {
      const bytes = Buffer.from(`\uFEFF${standard}1,A,https://a/1\n${body}`, isWide ? 'utf16le' : 'utf8');
      const [whole, parts] = await Promise.all([outcome(bytes), outcome(bytes, chunk)]);
      expect(parts).toEqual(whole);
    }),
    runs,
  );
});

test('records are the same wherever the text is cut', () => {
  fc.assert(
    fc.property(lines, fc.array(fc.nat(40), { maxLength: 10 }), (content, cuts) => {
      expect(attempt(() => scanInPieces(content, cuts))).toEqual(attempt(() => scanInPieces(content, [])));
    }),
    { numRuns: 1000 },
  );
});

test('what was accepted is accepted again, cell by cell, and its second output is its first', async () => {
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(lines, fc.constantFrom(',', ';', '\t'), async (body, delimiter) => {
      const content = `${standard.replaceAll(',', delimiter)}${['1', 'A', 'https://a/1'].join(delimiter)}\n${body}`;
      const first = await read(content).catch(() => undefined);
      if (!first) return;
      accepted++;
      const output = await write(
        first.rows.map((row) => settled(row)),
        first.survey.dialect,
      );
      const second = await read(output);
      expect(second.rows.map(({ cells, urls, serial }) => ({ cells, urls, serial }))).toEqual(
        first.rows.map(({ cells, urls, serial }) => ({ cells, urls, serial })),
      );
      const again = await write(
        second.rows.map((row) => settled(row)),
        second.survey.dialect,
      );
      expect(again.toString()).toBe(output.toString());
      const seed = await read(
        await write(
          first.rows.map((row) => settled(row)),
          first.survey.dialect,
          'seed',
        ),
      );
      expect(seed.rows.map(({ urls }) => urls)).toEqual(first.rows.map(({ urls }) => urls));
    }),
    runs,
  );
  expect(accepted).toBeGreaterThan(runs.numRuns / 10);
});

test('any bytes below a header are rows or a Problem', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      expect(await outcome(Buffer.concat([Buffer.from(standard), bytes]))).toBeDefined();
    }),
    runs,
  );
});

test('what the scanner reads, csv-parse reads the same', async () => {
  const options = { record_delimiter: ['\r\n', '\n', '\r'], trim: true, relax_quotes: true, relax_column_count: true };
  let compared = 0;
  fc.assert(
    fc.property(lines, (content) => {
      // csv-parse also trims what is no blank in every encoding we take.
      const plain = content.replaceAll(/[^\S \t\r\n]/g, 'x');
      const theirs = attempt(() => parse(plain, options));
      const ours = attempt(() => scanInPieces(plain, []).map(({ cells }) => cells));
      // The other way round it is laxer: it takes `"" ""` for one cell.
      if (!ours) return;
      compared++;
      expect(ours.filter(isFilled)).toEqual(theirs?.filter(isFilled));
    }),
    { numRuns: 1000 },
  );
  expect(compared).toBeGreaterThan(100);
});

async function outcome(bytes: Buffer, chunk?: number): Promise<unknown> {
  try {
    const found = await survey(bytes, { chunk });
    return { found, rows: await rowsOf(bytes, found.dialect, { chunk }) };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { code: error.code, message: error.message };
  }
}

function scanInPieces(content: string, cuts: number[]): Scanned[] {
  const scanner = createScanner({ delimiter: ',', maxRecordBytes: 65_536 });
  const records: Scanned[] = [];
  let at = 0;
  for (const length of [...cuts, content.length]) {
    records.push(...scanner.push(content.slice(at, at + length)));
    at += length;
  }
  return [...records, ...scanner.end()];
}

function attempt<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch {
    return undefined;
  }
}

function isFilled(cells: string[]): boolean {
  return cells.length > 1 || cells[0] !== '';
}
