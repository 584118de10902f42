// The tolerant reader: every rule of contracts.md §8 on the shapes people send.

import { describe, expect, test } from 'vitest';
import { detectDelimiter } from '../src/catalogs/dialect.ts';
import { readRows } from '../src/catalogs/read.ts';
import { chunksOf, limits, problemOf, read, rowsOf, standard, survey, tally } from './support/catalogs.ts';

describe('what the table of §8 asks for', () => {
  test.each([
    [
      'a comma inside a URL parts nothing',
      `${standard}1,A,"https://r.x/w_300,h_200/a.jpg, https://b/c.png"\n2,B,https://r.x/w_300,h_200/a.jpg`,
      '1: 2, 2: 1',
    ],
    [
      'semicolons delimit, and surplus cells are URLs',
      'S. No.;Product Name;Input Image Urls\n1;A;https://a/1.jpg;https://a/2.jpg',
      '1: 2',
    ],
    [
      'columns stand in any order under any of their names',
      'Input Image URLs,Colour,PRODUCT NAME,s no\n"https://a/1.jpg,https://a/2.jpg",red,A,7',
      '7: 2',
    ],
    [
      'surplus cells belong to the URL column, wherever it stands',
      'S. No.,Input Image Urls,Product Name\n1,https://a/1.jpg,https://a/2.jpg,A',
      '1: 2',
    ],
    ['a line that was quoted as a whole is unwrapped', `${standard}"1,A,""https://a/1.jpg,https://a/2.jpg"""`, '1: 2'],
    ['trailing commas are no URLs', `${standard}1,A,"https://a/1.jpg,"\n2,B,https://a/2.jpg,,`, '1: 1, 2: 1'],
    ['what is no URL keeps its slot', `${standard}1,A,"htp://x/1.jpg, https://a/2.jpg"\n2,B,foo`, '1: 2, 2: 1'],
    [
      'a row without URLs is a product, a row of blank cells is none',
      `${standard}1,A\n,,\n\n,B,https://a/2.jpg`,
      '1: 0, 2: 1',
    ],
    [
      'blanks part URLs, and www. and // begin them',
      `${standard}1,A,https://a/1.jpg https://a/2.jpg\n2,B,"www.x.com/a.jpg,//y.com/b.jpg"`,
      '1: 2, 2: 2',
    ],
  ])('%s', async (_, content, counts) => {
    const { rows } = await read(content);
    expect(tally(rows)).toBe(counts);
  });

  test('the name stays the name when URLs spill in front of it', async () => {
    const { rows } = await read('S. No.,Input Image Urls,Product Name\n1,https://a/1.jpg,https://a/2.jpg,A');
    expect(rows).toMatchObject([{ serial: '1', name: 'A', cells: ['1', 'https://a/1.jpg,https://a/2.jpg', 'A'] }]);
  });

  test('URLs that can never be fetched are told apart, with line, column and text', async () => {
    const { survey: found, rows } = await read(`${standard}1,A,"htp://x/1.jpg, https://a/2.jpg"\n2,B,foo`);
    expect(rows[0]?.urls).toEqual([{ text: 'htp://x/1.jpg' }, { text: 'https://a/2.jpg', url: 'https://a/2.jpg' }]);
    expect(found.invalidCount).toBe(2);
    expect(found.invalid).toMatchObject([
      { code: 'invalid_url', line: 2, column: 'Input Image Urls', value: 'htp://x/1.jpg' },
      { code: 'invalid_url', line: 3, column: 'Input Image Urls', value: 'foo' },
    ]);
  });
});

describe('dialect', () => {
  test.each([
    ['a comma', 'sno,name,url\n1,A,https://a/1', ','],
    ['a semicolon', 'sno;name;url\n1;A;https://a/1', ';'],
    ['a TAB', 'sno\tname\turl\n1\tA\thttps://a/1', '\t'],
    ['the most frequent outside quotes', '"a,b,c,d";sno;name;url\nx;1;A;https://a/1', ';'],
    ['the comma in a tie', 'sno,name;url,no;x\n', ','],
    ['what a wholly quoted header holds inside', '"sno;name;url"\n"1;A;https://a/1"', ';'],
    ['what stands after blank lines', '\n  \r\n\nsno;name;url\n1;A;https://a/1', ';'],
    ['quotes inside a plain cell aside', 'size 24",sno,name,url;\n', ','],
  ])('the delimiter is %s', (_, content, delimiter) => {
    expect(detectDelimiter(content)).toBe(delimiter);
  });

  test('CRLF, LF and CR may be mixed, and the line numbers still count', async () => {
    const content = 'sno,name,url\r\n1,A,https://a/1\n2,"B\r\nb\rb\nb",https://a/2\r3,C,https://a/3\r\n\r\n4,D,';
    const { survey: found, rows } = await read(content);
    expect(rows.map(({ serial, line, number }) => [serial, line, number])).toEqual([
      ['1', 2, 1],
      ['2', 3, 2],
      ['3', 7, 3],
      ['4', 9, 4],
    ]);
    expect(found.dialect.newline).toBe('\r\n');
    expect(found.problems).toMatchObject([{ code: 'no_image_urls', line: 9 }]);
  });

  test('blanks around cells go, blanks within quotes stay, a lone quote is text', async () => {
    const { rows } = await read('sno , name ,url\n 1 , "  24"" frame " ,  https://a/1  \n2,24" frame,https://a/2');
    expect(rows[0]).toMatchObject({ serial: '1', name: '24" frame', cells: ['1', '  24" frame ', 'https://a/1'] });
    expect(rows[1]).toMatchObject({ name: '24" frame' });
  });

  test('a header wholly in quotes is remembered as the style of the file', async () => {
    expect((await survey('"sno","name","url"\n1,A,https://a/1')).dialect.fullQuotes).toBe(true);
    expect((await survey('"sno","name",url\n1,A,https://a/1')).dialect.fullQuotes).toBe(false);
  });

  test('the dialect survives JSON', async () => {
    const { dialect } = await survey('sno,name,url\n1,A,https://a/1');
    expect(JSON.parse(JSON.stringify(dialect))).toEqual(dialect);
    const { dialect: unnamed } = await survey('url\nhttps://a/1', { required: 'urls' });
    expect(await rowsOf('url\nhttps://a/1', JSON.parse(JSON.stringify(unnamed)))).toHaveLength(1);
  });
});

describe('header', () => {
  test('the first alias of the list wins, then the leftmost column', async () => {
    const { survey: found } = await read(
      'image,urls,Image URLs,image-urls,SKU,Name,no,S.No\nx,y,https://a/1,z,p,q,r,s',
    );
    expect(found.dialect).toMatchObject({ urls: 2, name: 5, serial: 7 });
  });

  test('without a header the cells are serial, name and all the rest URLs', async () => {
    const { survey: found, rows } = await read('2,Chair,https://a/1,https://a/2\n,Table,https://a/3');
    expect(found.dialect).toMatchObject({ hasHeader: false, header: ['S. No.', 'Product Name', 'Input Image Urls'] });
    expect(tally(rows)).toBe('2: 2, 2: 1');
    expect(found.problems).toMatchObject([
      { code: 'no_header', line: 1 },
      { code: 'urls_folded', line: 1 },
    ]);
  });

  test('B4: a missing column is named', async () => {
    const thrown = await problemOf(survey('S. No.,Input Image Urls\n1,https://a/1'));
    expect(thrown).toMatchObject({ code: 'csv_missing_columns', message: 'Missing columns: Product Name' });
    expect(thrown.facts.extra).toEqual({ missing: ['Product Name'] });
  });

  test('C3: text that is no catalog misses all three columns', async () => {
    const thrown = await problemOf(survey('CSV File'));
    expect(thrown.message).toBe('Missing columns: S. No., Product Name, Input Image Urls');
  });

  test('where only URLs are required, rows are numbered and have no names', async () => {
    const { rows } = await read('Image URL\n"https://a/1.jpg, https://a/2.jpg"\nhttps://a/3.jpg', { required: 'urls' });
    expect(rows).toMatchObject([
      { serial: '1', name: '', cells: ['https://a/1.jpg, https://a/2.jpg'], warnings: [] },
      { serial: '2', name: '', cells: ['https://a/3.jpg'] },
    ]);
    expect((await problemOf(survey('a,b\n1,2', { required: 'urls' }))).message).toBe(
      'Missing columns: Input Image Urls',
    );
  });
});

describe('values', () => {
  test('B12: serials are kept as written, and rows are never merged', async () => {
    const { rows } = await read(`${standard}7,A,https://a/1\n3,A,https://a/1\n3,A,https://a/1\n007,B,\nP001,C,\n1.,D,`);
    expect(tally(rows)).toBe('7: 1, 3: 1, 3: 1, 007: 0, P001: 0, 1.: 0');
  });

  test('missing cells are empty', async () => {
    const { rows } = await read(`${standard}1\n2,B,https://a/1`);
    expect(rows[0]).toMatchObject({ cells: ['1', '', ''], name: '', warnings: ['no_image_urls'] });
  });

  test('C11: names are kept to the letter', async () => {
    const { rows } = await read(`${standard}1,../../x,https://a/1\n2,=cmd(),https://a/1\n3,"a""b,c",https://a/1`);
    expect(rows.map(({ name }) => name)).toEqual(['../../x', '=cmd()', 'a"b,c']);
  });

  test('a resumed reading goes on after the rows that were taken', async () => {
    const content = `${standard}1,A,https://a/1\n\n,B,https://a/2\n"3,C,https://a/3"\n4,D,https://a/4`;
    const { survey: found, rows } = await read(content);
    for (const skip of [0, 1, 2, 3, 4])
      expect(await rowsOf(content, found.dialect, { skip })).toEqual(rows.slice(skip));
  });
});

test('rows come five hundred at a time, whatever the size of the chunks', async () => {
  const content = standard + Array.from({ length: 1200 }, (_, index) => `${index},A,https://a/${index}\n`).join('');
  const { dialect } = await survey(content, { limits: { maxRows: 1200 } });
  const sizes: number[] = [];
  for await (const bundle of readRows(chunksOf(content, 700), { dialect, limits })) sizes.push(bundle.length);
  expect(sizes).toEqual([500, 500, 200]);
});

describe('faults of the whole file', () => {
  test.each([
    ['B2: an empty file', '', 'csv_empty'],
    ['B2: a file of blank lines', '\n \r\n,,\n', 'csv_empty'],
    ['B3: a header alone', standard, 'csv_no_rows'],
    ['C4: a header over blank rows', `${standard},,\n\n`, 'csv_no_rows'],
    ['C4: empty URL cells only', `${standard}1,A,\n2,B," , ;"`, 'csv_no_urls'],
    ['text after a closing quote', `${standard}1,"A"x,https://a/1`, 'csv_syntax'],
    ['a quote that is never closed', `${standard}1,"A,https://a/1\n2,B,https://a/2\n`, 'csv_syntax'],
    ['text after a closing quote in a wrapped line', `${standard}"1,""A""x,https://a/1"`, 'csv_syntax'],
  ])('%s is refused', async (_, content, code) => {
    expect((await problemOf(survey(content))).code).toBe(code);
  });

  test('a syntax error names the line where its record starts', async () => {
    const thrown = await problemOf(survey(`${standard}1,"A\n\nA",https://a/1\n2,"B,https://a/2`));
    expect(thrown.message).toBe('Line 5: a quote is opened and never closed.');
    expect(thrown.facts.extra).toEqual({ line: 5 });
  });

  test('of many problems the first hundred are kept and all are counted', async () => {
    const rows = Array.from({ length: 150 }, (_, index) => `${index},A,\n`).join('');
    const found = await survey(`${standard}${rows}x,B,https://a/1`);
    expect(found.problems).toHaveLength(100);
    expect(found.problemCount).toBe(150);
    expect(found.problems.at(-1)).toMatchObject({ code: 'no_image_urls', line: 101 });
  });
});
