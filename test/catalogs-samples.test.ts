// The 13 sample files of public projects: what is read, and what comes back (SOURCES.md beside them).

import { describe, expect, test } from 'vitest';
import { hasShared, read, sampleBytes, settled, tally, write } from './support/catalogs.ts';

type Expected = {
  counts: string;
  distinct: number;
  warnings?: string[];
  joined?: string;
  failed: string[];
  style?: string;
};

const samples: Record<string, Expected> = {
  'Sudhanshu88-test_data.csv': { counts: '1: 2, 2: 2', distinct: 4, failed: ['1', '2'] },
  'animeshc137-input-bom.csv': { counts: '1: 2, 2: 2, 3: 1', distinct: 5, failed: ['1', '2'], style: ', LF BOM' },
  'rshdeka-Input-bom-crlf.csv': {
    counts: '1: 3, 2: 3',
    distinct: 3,
    joined: ', ',
    failed: ['1', '2'],
    style: ', CRLF BOM',
  },
  'rshdeka-output.csv': { counts: '1: 3, 2: 3', distinct: 3, joined: ', ', failed: ['1', '2'], style: ', CRLF' },
  'krockxz-test.csv': { counts: '1: 1, 2: 1, 3: 1', distinct: 3, failed: [] },
  'nickiiitu-sample-images.csv': {
    counts: 'P001: 1, P002: 2, P003: 3',
    distinct: 6,
    joined: ', ',
    failed: ['P002', 'P003'],
  },
  'sanskar6525-sample.csv': { counts: '1: 3, 2: 3, 3: 3', distinct: 9, failed: ['1', '2', '3'] },
  'sachin108-test-noheader.csv': { counts: '2: 1', distinct: 1, warnings: ['no_header'], failed: [] },
  'yashkelhe-info-allquoted.csv': {
    counts: '1: 3, 2: 3',
    distinct: 3,
    failed: ['1', '2'],
    style: ', LF quotes',
  },
  'guru8880-sample-unquoted.csv': {
    counts: '1: 3, 2: 3',
    distinct: 6,
    warnings: ['urls_folded', 'urls_folded'],
    failed: ['1', '2'],
  },
  'oms674-unquoted-spaces.csv': {
    counts: '1: 2, 2: 2',
    distinct: 4,
    warnings: ['urls_folded', 'urls_folded'],
    failed: ['1', '2'],
  },
  'heykvr-whole-line-quoted.csv': {
    counts: '1: 2, 2: 1',
    distinct: 3,
    warnings: ['line_unwrapped', 'urls_folded', 'line_unwrapped'],
    failed: ['1'],
  },
  'pixelriver-dotted-serial.csv': { counts: '1.: 3, 2.: 3', distinct: 3, failed: ['1.', '2.'] },
};

describe.skipIf(!hasShared).each(Object.entries(samples))('%s', (name, expected) => {
  test('gives its products, images and warnings', async () => {
    const { survey, rows } = await read(sampleBytes(name));
    expect(tally(rows)).toBe(expected.counts);
    expect(new Set(rows.flatMap((row) => row.urls.map(({ url }) => url))).size).toBe(expected.distinct);
    expect(survey.problems.map(({ code }) => code)).toEqual(expected.warnings ?? []);
    expect(survey.invalidCount).toBe(0);
  });

  test('comes back as it was, and again the same', async () => {
    const { survey, rows } = await read(sampleBytes(name));
    const output = await write(
      rows.map((row) => settled(row)),
      survey.dialect,
    );
    const again = await read(output);
    expect(again.rows.map(({ cells, urls, serial, name: product }) => ({ cells, urls, serial, product }))).toEqual(
      rows.map(({ cells, urls, serial, name: product }) => ({ cells, urls, serial, product })),
    );
    expect(again.survey.problemCount).toBe(0);
    const second = await write(
      again.rows.map((row) => settled(row)),
      again.survey.dialect,
    );
    expect(second.toString()).toBe(output.toString());
    expect(styleOf(output)).toBe(expected.style ?? ', LF');
    for (const row of rows.filter(({ urls }) => urls.length > 2))
      expect(output.toString()).toContain(
        ['1', '', '3'].map((n) => n && `https://d.test/v1/files/${row.number}-${n}.jpg`).join(expected.joined ?? ','),
      );
  });

  test('the seed form and the failed rows are input again', async () => {
    const { survey, rows } = await read(sampleBytes(name));
    const settledRows = rows.map((row) => settled(row));
    const seed = await read(await write(settledRows, survey.dialect, 'seed'));
    expect(tally(seed.rows)).toBe(expected.counts);
    expect(seed.survey.dialect).toMatchObject({ delimiter: ',', newline: '\r\n', bom: false, ownColumns: 1 });
    const failed = await write(settledRows, survey.dialect, 'failed');
    const lines = failed.toString().trimEnd().split('\n');
    const failedRows = lines.length > 1 ? (await read(failed)).rows : [];
    expect(failedRows.map(({ serial }) => serial)).toEqual(expected.failed);
  });
});

test.skipIf(!hasShared)('the samples are 29 products and 65 images', async () => {
  const all = await Promise.all(Object.keys(samples).map((name) => read(sampleBytes(name))));
  expect(all.reduce((sum, { survey }) => sum + survey.products, 0)).toBe(29);
  expect(all.reduce((sum, { survey }) => sum + survey.images, 0)).toBe(65);
});

function styleOf(output: Buffer): string {
  const [header = ''] = output.toString().split('\n');
  const newline = header.endsWith('\r') ? 'CRLF' : 'LF';
  const extras = [header.startsWith('\uFEFF') ? 'BOM' : '', /^\uFEFF?"S\. No\."/.test(header) ? 'quotes' : ''];
  return [',', newline, ...extras.filter(Boolean)].join(' ');
}
