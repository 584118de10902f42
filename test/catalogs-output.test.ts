// The three output forms (contracts.md §9) and cells that a spreadsheet would run (safety.md §5).

import { describe, expect, test } from 'vitest';
import type { OutputSlot } from '../src/catalogs/catalog.ts';
import { standardDialect } from '../src/catalogs/dialect.ts';
import { corpusFiles, hasShared, read, settled, standard, write } from './support/catalogs.ts';

const slot = (state: OutputSlot['state'], code: string | null = null): OutputSlot => ({
  state,
  url: state === 'succeeded' ? 'https://d/1' : null,
  code,
});

async function outputOf(content: string, form: 'seed' | 'original' | 'failed' = 'original', excel = false) {
  const { survey, rows } = await read(content);
  return (
    await write(
      rows.map((row) => settled(row)),
      survey.dialect,
      form,
      excel,
    )
  ).toString();
}

describe('seed form', () => {
  test('has exactly the four columns, CRLF and no byte order mark', async () => {
    const content = '\uFEFFurl;colour;name;no\nhttps://a/1 | https://a/2 | https://a/3;red;"SKU;1";\n';
    expect(await outputOf(content, 'seed')).toBe(
      'S. No.,Product Name,Input Image Urls,Output Image Urls\r\n' +
        '1,SKU;1,"https://a/1,https://a/2,https://a/3","https://d.test/v1/files/1-1.jpg,,https://d.test/v1/files/1-3.jpg"\r\n',
    );
  });

  test('an image that was uploaded is a row of its own', async () => {
    const row = {
      cells: ['1', 'a.jpg', 'a.jpg'],
      serial: '1',
      name: 'a.jpg',
      inputs: ['a.jpg'],
      slots: [slot('succeeded')],
    };
    expect((await write([row], standardDialect, 'seed')).toString()).toMatch(/\r\n1,a\.jpg,a\.jpg,https:\/\/d\/1\r\n$/);
  });
});

describe('round trip', () => {
  test('keeps columns, order, spelling and style, and adds three columns', async () => {
    const content = 'url;Colour;name;NO\r\n"https://a/1;https://a/2";" red ";"a ""b"";";7\r\n';
    expect(await outputOf(content)).toBe(
      'url;Colour;name;NO;Output Image Urls;Status;Errors\r\n' +
        '"https://a/1;https://a/2";" red ";"a ""b"";";7;"https://d.test/v1/files/1-1.jpg;";partially_succeeded;2:not_found\r\n',
    );
  });

  test.each([
    ['skipped', [], ''],
    ['succeeded', [slot('succeeded'), slot('succeeded')], ''],
    [
      'partially_succeeded',
      [slot('succeeded'), slot('failed', 'timeout'), slot('failed', 'not_found')],
      '2:timeout; 3:not_found',
    ],
    ['failed', [slot('failed', 'not_found')], '1:not_found'],
    ['canceled', [slot('succeeded'), slot('canceled')], '2:canceled'],
    ['pending', [slot('failed', 'timeout'), slot('pending')], '1:timeout'],
  ])('a row says that it is %s', async (status, slots, errors) => {
    const row = { cells: ['1', 'A', ''], serial: '1', name: 'A', inputs: [], slots };
    const [, line = ''] = (await write([row], standardDialect)).toString().split('\r\n');
    const outputs = slots.map(({ url }) => url ?? '').join(',');
    expect(line).toBe(`1,A,,${outputs.includes(',') ? `"${outputs}"` : outputs},${status},${errors}`);
  });

  test('full quotes stay full quotes, also around nothing', async () => {
    expect(await outputOf('"sno","name","url"\n1,,https://a/1\n')).toBe(
      '"sno","name","url","Output Image Urls","Status","Errors"\n"1","","https://a/1","https://d.test/v1/files/1-1.jpg","succeeded",""\n',
    );
  });

  test.each([
    ['Output Image Urls', 'sno,name,url,Output Image Urls', 'sno,name,url,Output Image Urls,Status,Errors'],
    ['all three', 'sno,name,url,Output Image Urls,Status,Errors', 'sno,name,url,Output Image Urls,Status,Errors'],
    ['a Status of their own', 'Status,sno,name,url', 'Status,sno,name,url,Output Image Urls,Darkroom Status,Errors'],
    [
      'a Status of their own at the end',
      'sno,name,url,Status',
      'sno,name,url,Status,Output Image Urls,Darkroom Status,Errors',
    ],
    [
      'names of their own before ours',
      'output image urls,sno,name,url,errors,Darkroom Output Image Urls,Status,Darkroom Errors',
      'output image urls,sno,name,url,errors,Darkroom Output Image Urls,Status,Darkroom Errors',
    ],
  ])('a header with %s is extended once', async (_, header, expected) => {
    const cells = header.split(',').map((name) => (name === 'url' ? 'https://a/1' : 'x'));
    const output = await outputOf(`${header}\n${cells.join(',')}\n`);
    expect(output.split('\n')[0]).toBe(expected);
    expect(await outputOf(output)).toBe(output);
  });

  test('a header cell with another delimiter stays in quotes, or the next reader would count it', async () => {
    const output = await outputOf('"a,b,c,d,e,f,g,h,i";sno;name;url\nx;1;A;https://a/1\n');
    expect(output).toMatch(/^"a,b,c,d,e,f,g,h,i";sno;/);
    expect(await outputOf(output)).toBe(output);
  });

  test('a wide row whose output is longer than a row may be is accepted again', async () => {
    const urls = Array.from({ length: 100 }, (_, index) => `https://a/${index}/${'x'.repeat(630)}`).join(',');
    const output = await outputOf(`${standard}1,A,"${urls}"\n`);
    expect(output.length).toBeGreaterThan(64 * 1024);
    expect(await outputOf(output)).toBe(output);
  });
});

describe('failed rows', () => {
  test('are whole rows with at least one lost image; without any there is the header', async () => {
    const content = `${standard}1,A,https://a/1\n2,B,"https://a/2,https://a/3"\n`;
    const output = await outputOf(content, 'failed');
    expect(output).toMatch(/^S\. No\.,[^\n]*\n2,B,"https:\/\/a\/2,https:\/\/a\/3",[^\n]*\n$/);
    expect(await outputOf(`${standard}1,A,https://a/1\n`, 'failed')).toBe(
      'S. No.,Product Name,Input Image Urls,Output Image Urls,Status,Errors\n',
    );
  });
});

describe('for spreadsheets', () => {
  const hostile = ['=cmd()', '+1', '-5', '@x', '\t=1', '\r=1', '\n=1', '＝1', '＋1', '－1', '＠1'];
  const row = (cell: string) => ({ cells: ['1', cell, 'https://a/1'], serial: '1', name: cell, inputs: [], slots: [] });

  test.each(hostile)('C11: %j is text with excel and verbatim without', async (cell) => {
    for (const form of ['original', 'seed'] as const) {
      const guarded = (await write([row(cell)], standardDialect, form, true)).toString();
      expect(guarded).toContain(`,"'${cell}",`);
      expect(guarded.startsWith('\uFEFF')).toBe(true);
      const plain = (await write([row(cell)], standardDialect, form)).toString();
      expect(plain).toContain(/\s/.test(cell) ? `,"${cell}",` : `,${cell},`);
      expect(plain.startsWith('\uFEFF')).toBe(false);
    }
  });

  test('failed rows stay verbatim, for they are input', async () => {
    const lost = { ...row('-5'), slots: [slot('failed', 'timeout')] };
    const output = (await write([lost], standardDialect, 'failed', true)).toString();
    expect(output).toContain('\n1,-5,');
    expect(output.startsWith('\uFEFF')).toBe(false);
  });

  test.skipIf(!hasShared)('no payload of the injection corpus begins a cell', async () => {
    const payloads = corpusFiles('csv-injection')
      .flatMap(({ bytes }) => bytes.toString().split('\n'))
      .filter(Boolean);
    expect(payloads.length).toBeGreaterThan(2);
    for (const payload of payloads) {
      const output = (await write([row(payload)], standardDialect, 'original', true)).toString();
      expect(output).not.toMatch(/(?:^|[,\n]"?)[=+\-@]/);
      expect((await write([row(payload)], standardDialect)).toString()).toContain(payload.replaceAll('"', '""'));
    }
  });
});
