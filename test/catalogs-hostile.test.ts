// Catalogs that want to hurt: bombs are refused while they stream in, fuzz gives rows or a Problem, never anything else.

import { describe, expect, test } from 'vitest';
import type { CatalogLimits, Dialect } from '../src/catalogs/catalog.ts';
import { standardDialect } from '../src/catalogs/dialect.ts';
import { surveyCatalog } from '../src/catalogs/survey.ts';
import { Problem } from '../src/problem.ts';
import { corpusFiles, hasShared, limits, problemOf, read, rowsOf, standard, survey } from './support/catalogs.ts';

const megabyte = 1024 * 1024;

/** `head`, then `unit` again and again; counts what was taken of it. */
function bomb(head: string, unit: string, bytes: number) {
  const chunk = Buffer.from(unit.repeat(Math.ceil(64_000 / unit.length)));
  const taken = { bytes: 0 };
  async function* source(): AsyncGenerator<Buffer> {
    yield Buffer.from(head);
    for (; taken.bytes < bytes; taken.bytes += chunk.length) {
      yield chunk;
      await new Promise(setImmediate);
    }
  }
  return { source: source(), taken };
}

async function refusal(source: AsyncIterable<Buffer>, some: Partial<CatalogLimits> = {}) {
  const start = performance.now();
  const memory = process.memoryUsage().rss;
  const thrown = await problemOf(surveyCatalog(source, { limits: { ...limits, ...some }, required: 'all' }));
  return { thrown, ms: performance.now() - start, grown: process.memoryUsage().rss - memory };
}

describe('bombs', () => {
  test.each([
    ['a million columns', '', 'a,', 2 * megabyte],
    ['a row of a million cells', standard, 'a,', 2 * megabyte],
    ['a field of 200 MB', `${standard}1,`, 'a', 200 * megabyte],
    ['an unclosed quote of 200 MB', `${standard}1,"`, 'a,\n', 200 * megabyte],
    ['a header of 200 MB of quotes', '', '"', 200 * megabyte],
    ['200 MB of blanks', standard, ' ', 200 * megabyte],
  ])('%s is refused early, fast and in little memory', async (_, head, unit, bytes) => {
    const { source, taken } = bomb(head, unit, bytes);
    const { thrown, ms, grown } = await refusal(source);
    expect(thrown.code).toBe('too_large');
    expect(thrown.message).toContain('longer than 64 kB');
    expect(taken.bytes).toBeLessThan(megabyte);
    expect(ms).toBeLessThan(500);
    expect(grown).toBeLessThan(50 * megabyte);
  });

  test('rows of blank cells do not go on for ever', async () => {
    const { thrown } = await refusal(bomb(standard, ',,\n', 200 * megabyte).source);
    expect(thrown.code).toBe('too_many_rows');
  });

  test.each([
    ['blanks', ' '],
    ['separators after blanks', ' ;'],
    ['slashes', '//'],
    ['slashes after blanks', ' a//'],
    ['schemes without a host', '://'],
    ['www', 'www.'],
    ['letters', 'a'],
    ['newlines', '\n'],
    ['quotes', '""'],
  ])('a cell of 60 kB of %s costs no more than its length', async (_, unit) => {
    const cell = unit.repeat(60_000 / unit.length);
    const start = performance.now();
    await survey(`${standard}1,A,https://a/1\n${`1,A,"${cell}"\n`.repeat(20)}`).catch(() => undefined);
    expect(performance.now() - start).toBeLessThan(1000);
  });
});

describe('limits', () => {
  const row = '1,A,https://a/1\n';

  test('rows', async () => {
    expect((await survey(standard + row.repeat(1000))).products).toBe(1000);
    const { thrown } = await refusal(bomb(standard, row, megabyte).source);
    expect(thrown).toMatchObject({
      code: 'too_many_rows',
      message: 'At most 1,000 rows are taken (DARKROOM_MAX_ROWS).',
    });
  });

  test('URLs in a row', async () => {
    const urls = (count: number) => Array.from({ length: count }, (_, index) => `https://a/${index}`).join(' ');
    expect((await survey(`${standard}1,A,${urls(100)}`)).images).toBe(100);
    const thrown = await problemOf(survey(`${standard}${row}1,A,${urls(101)}`));
    expect(thrown.message).toBe('Line 3: the row has more than 100 URLs (DARKROOM_MAX_ROW_URLS).');
  });

  test('columns', async () => {
    const wide = (columns: number) => `${standard.trimEnd()}${',x'.repeat(columns - 3)}\n${row}`;
    expect((await survey(wide(50))).dialect.header).toHaveLength(50);
    expect((await problemOf(survey(wide(51)))).message).toBe('Line 1: the row has more than 50 columns.');
    const ours = `${wide(50).split('\n')[0]},Output Image Urls,Status,Errors\n${row}`;
    expect((await survey(ours)).dialect.header).toHaveLength(50);
  });

  test('bytes of a record', async () => {
    const record = (bytes: number) => `1,${'A'.repeat(bytes - 16)},https://a/1\n`;
    expect((await survey(standard + record(64 * 1024))).products).toBe(1);
    const thrown = await problemOf(survey(standard + record(64 * 1024 + 2)));
    expect(thrown.message).toBe('Line 2: the row has more than 64 kB.');
  });
});

test('text that falls across the blocks of the reading is whole', async () => {
  for (const shift of [0, 1, 2, 3]) {
    const names = Array.from({ length: 9000 }, (_, index) => `é€😀"${'x'.repeat(index % 7)}"\r\n${index}`);
    const lines = names.map((name, index) => `${index},"${name.replaceAll('"', '""')}",https://a/${index}\r\n`);
    const { rows } = await read(`${'\n'.repeat(shift)}${standard}${lines.join('')}`, { limits: { maxRows: 10_000 } });
    expect(rows.map(({ name }) => name)).toEqual(names);
    expect(rows.at(-1)?.line).toBe(shift + 2 + 2 * 8999);
  }
});

describe.skipIf(!hasShared)('corpora', () => {
  test.each(corpusFiles('csv-spectrum').filter(({ name }) => name.endsWith('.csv')))(
    '$name equals its JSON',
    async (file) => {
      const [header = '', ...body] = file.bytes.toString().split('\n');
      const names = header.split(',');
      const dialect: Dialect = { ...standardDialect, header: names, urls: names.length - 1 };
      const rows = await rowsOf([header, ...body].join('\n'), dialect);
      const twin = file.name.replace('csvs_', 'json_').replace('.csv', '.json');
      const expected: unknown = JSON.parse(
        corpusFiles('csv-spectrum')
          .find(({ name }) => name === twin)
          ?.bytes.toString() ?? '',
      );
      expect(rows.map(({ cells }) => Object.fromEntries(names.map((name, at) => [name, cells[at]])))).toEqual(expected);
    },
  );

  test.each(['gofuzz-csv', 'node-csv', 'papaparse-csv', 'csv-spectrum'])(
    '%s gives rows or a Problem, each within a second',
    async (set) => {
      const files = corpusFiles(set);
      expect(files.length).toBeGreaterThan(2);
      for (const { name, bytes } of files) {
        for (const content of [bytes, Buffer.concat([Buffer.from(`${standard}1,A,https://a/1\n`), bytes])]) {
          const start = performance.now();
          const outcome = await read(content).catch((error: unknown) => error);
          expect(performance.now() - start, name).toBeLessThan(1000);
          expect(outcome instanceof Problem || !(outcome instanceof Error), name).toBe(true);
        }
      }
    },
  );
});
