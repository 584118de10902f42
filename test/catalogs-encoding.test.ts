// From bytes to text: the encodings of contracts.md §8.1, and files that are no text at all.

import { describe, expect, test } from 'vitest';
import { problemOf, read, standard, survey, write, settled } from './support/catalogs.ts';

const accented = `${standard}1,Café €,https://a/1\n`;
const bigEndian = (text: string) => Buffer.from(text, 'utf16le').swap16();

describe('encoding', () => {
  test.each([
    ['UTF-8', Buffer.from(accented), { encoding: 'utf-8', bom: false }],
    ['UTF-8 with a byte order mark', Buffer.from(`\uFEFF${accented}`), { encoding: 'utf-8', bom: true }],
    ['UTF-16 little endian', Buffer.from(`\uFEFF${accented}`, 'utf16le'), { encoding: 'utf-16le', bom: true }],
    ['UTF-16 big endian', bigEndian(`\uFEFF${accented}`), { encoding: 'utf-16be', bom: true }],
  ])('%s is read, in chunks of any size', async (_, bytes, expected) => {
    for (const chunk of [1, 2, 3, 7, 1000]) {
      const { survey: found, rows } = await read(bytes, { chunk });
      expect(found.dialect).toMatchObject({ ...expected, header: ['S. No.', 'Product Name', 'Input Image Urls'] });
      expect(found.problemCount).toBe(0);
      expect(rows).toMatchObject([{ serial: '1', name: 'Café €' }]);
    }
  });

  test('B6: bytes that are no UTF-8 are Windows-1252, with a warning', async () => {
    const bytes = Buffer.from(`${standard}1,Caf\xe9 \x80 \x93x\x94,https://a/1\n`, 'latin1');
    const { survey: found, rows } = await read(bytes);
    expect(found.dialect).toMatchObject({ encoding: 'windows-1252', bom: false });
    expect(found.problems).toMatchObject([{ code: 'decoded_as_windows_1252', line: 1 }]);
    expect(rows[0]?.name).toBe('Café € “x”');
    expect(
      (
        await write(
          rows.map((row) => settled(row)),
          found.dialect,
        )
      ).toString(),
    ).toMatch(/^\uFEFF[^]*Café € “x”/);
  });

  test('the first é may stand in row 90,000, after UTF-8 that was valid until then', async () => {
    const head = Buffer.from('S. No.,Product Name,Input Image Urls,Größe\n1,Ä,htp://ü,x\n');
    const rows = Array.from({ length: 90_000 }, (_, index) => `${index},P,https://a/${index}\n`).join('');
    const bytes = Buffer.concat([head, Buffer.from(rows), Buffer.from('9,Caf\xe9,https://a/9', 'latin1')]);
    const found = await survey(bytes, { limits: { maxRows: 100_000 } });
    expect(found).toMatchObject({ products: 90_002, images: 90_002, problemCount: 1 });
    // One file has one encoding: what looked like UTF-8 was Windows-1252 too.
    expect(found.dialect.header[3]).toBe('GrÃ¶ÃŸe');
    expect(found.invalid).toMatchObject([{ value: 'htp://Ã¼' }]);
    const last = (await read(bytes, { limits: { maxRows: 100_000 } })).rows.at(-1);
    expect(last).toMatchObject({ number: 90_002, name: 'Café' });
  });

  test('a character that is cut off at the end of the file is no UTF-8', async () => {
    const bytes = Buffer.concat([Buffer.from(`${standard}1,A,https://a/1?`), Buffer.from([0xc3])]);
    expect((await survey(bytes)).dialect.encoding).toBe('windows-1252');
  });

  test('a UTF-8 mark before Windows-1252 is taken off in both readings', async () => {
    const bytes = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from('7,\xe9,https://a/1', 'latin1')]);
    const { survey: found, rows } = await read(bytes);
    expect(found.dialect).toMatchObject({ encoding: 'windows-1252', bom: true, hasHeader: false });
    expect(rows).toMatchObject([{ serial: '7', name: 'é' }]);
  });

  test('a blank is the same in both readings, also where its bytes look like another', async () => {
    // The second byte of à is a no-break space in Windows-1252; a cell of one such space is not blank.
    const { rows } = await read(`${standard}1,à,https://a/1à\n\u00a0,\u00a0,"\u00a0,https://a/2"`);
    expect(rows.map(({ urls }) => urls.length)).toEqual([1, 2]);
  });

  test('hosts in other scripts are judged as they read', async () => {
    const { survey: found } = await read(`${standard}1,A,https://straße.example/1.jpg`);
    expect(found.invalidCount).toBe(0);
  });
});

describe('what is no text', () => {
  test.each([
    ['a PNG', Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), 'a PNG image'],
    ['a JPEG', Buffer.from('\xff\xd8\xff\xe0', 'latin1'), 'a JPEG image'],
    ['a GIF', Buffer.from('GIF89a'), 'a GIF image'],
    ['a WebP', Buffer.from('RIFF\x10\x20\x30\x40WEBP', 'latin1'), 'a WebP image'],
    ['a TIFF', Buffer.from('II*\0'), 'a TIFF image'],
    ['an AVIF', Buffer.from('\0\0\0\x20ftypavif', 'latin1'), 'an AVIF or HEIC image'],
    ['a PDF', Buffer.from('%PDF-1.7\n'), 'a PDF document'],
    ['an .xls', Buffer.from('\xd0\xcf\x11\xe0', 'latin1'), 'an Excel workbook; save it as CSV'],
    [
      'an .xlsx',
      Buffer.from('PK\x03\x04\x14\0\x06\0____[Content_Types].xml', 'latin1'),
      'an Excel workbook; save it as CSV',
    ],
    ['a zip', Buffer.from('PK\x03\x04\x14\0\x06\0____a.txt', 'latin1'), 'a ZIP archive; unpack it first'],
    ['a gzip', Buffer.from('\x1f\x8b\x08', 'latin1'), 'a gzip archive; unpack it first'],
    ['a NUL byte', Buffer.from(`${standard}1,A\0,https://a/1`), 'binary data, or UTF-16 without a byte order mark'],
    ['UTF-16 without a mark', Buffer.from(standard, 'utf16le'), 'binary data, or UTF-16 without a byte order mark'],
    [
      'a NUL in UTF-16',
      Buffer.from(`\uFEFF${standard}1,A\0`, 'utf16le'),
      'binary data, or UTF-16 without a byte order mark',
    ],
  ])('C2: %s is not a CSV file', async (_, bytes, kind) => {
    for (const chunk of [1, 1000]) {
      const thrown = await problemOf(survey(bytes, { chunk }));
      expect(thrown).toMatchObject({ code: 'not_csv', message: `This is not a CSV file: it looks like ${kind}.` });
      expect(thrown.facts.extra).toEqual({ kind });
    }
  });

  test('a column that is called RIFF is no image', async () => {
    expect((await survey('RIFF,sno,name,url\nx,1,A,https://a/1')).products).toBe(1);
  });
});
