// catalog.test.ts — surface C: its README's commands, and what it says where the README is silent.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { onEachDatabase } from '../support/databases.ts';
import { runContract, testCsv } from '../support/contract-files.ts';
import { hasShared, sampleBytes } from '../support/catalogs.ts';
import { csv, ended, openServed, type Served } from '../support/served.ts';

onEachDatabase((engine) => {
  describe('README C', () => {
    test('runs as written', async () => {
      expect(await runContract('catalog', engine, 'as written')).toBeGreaterThan(2);
    });
    test('runs with the other slashes', async () => {
      expect(await runContract('catalog', engine, 'the other way')).toBeGreaterThan(2);
    });
  });

  describe('cases', () => {
    let served: Served;
    let host: string;
    beforeAll(async () => {
      served = await openServed(engine);
      host = `http://${served.pictures.host}`;
    });
    afterAll(() => served[Symbol.asyncDispose]());

    const good = () => csv(`1,A,${host}/a.jpg\n`);
    const send = (form: Record<string, string | File>, query = '') => served.ask(`/upload${query}`, { form });
    const finish = async (id: string) => (await served.until(`/status/${id}`, ended)).json;
    const batches = async () => ((await served.ask('/v1/batches?limit=500')).json.items as unknown[]).length;

    test('the download of the test catalog is the one of the contract', async () => {
      const { json } = await send({ file: csv(testCsv(served.pictures.host), 'test.csv', '') });
      await finish(json.request_id);
      const { text, headers } = await served.ask(`/download/${json.request_id}`);
      const result = (extension: string) =>
        String.raw`http://localhost:\d+/processed_images/[a-z2-7]{26}\.${extension}`;
      const lines = text.split('\r\n');
      expect(lines[0]).toBe('S. No.,Product Name,Input Image Urls,Output Image Urls');
      expect(lines[1]).toMatch(
        new RegExp(`^1,SKU1,"${host}/a.jpg,${host}/gone.jpg,${host}/b.png","${result('jpg')},,${result('png')}"$`),
      );
      expect(lines[2]).toMatch(new RegExp(`^2,SKU2,${host}/b.png,${result('png')}$`));
      expect(lines.slice(3)).toEqual(['']);
      expect(headers.get('content-disposition')).toBe(`attachment; filename=output_${json.request_id}.csv`);
    });

    test('C1: no file is a missing field', async () => {
      const detail = [{ type: 'missing', loc: ['body', 'file'], msg: 'Field required' }];
      const forms: Record<string, string | File>[] = [{}, { webhook_url: 'https://x.example' }, { other: good() }];
      for (const form of forms)
        expect(await send(form)).toMatchObject({ status: 422, json: { detail, code: 'invalid_request' } });
    });

    test('C2: other formats under the name of a CSV are refused by their bytes', async () => {
      const heads = {
        PNG: '\x89PNG\r\n\x1a\n\0\0\0\rIHDR',
        PDF: '%PDF-1.7\n%',
        XLSX: 'PK\x03\x04\x14\0\0\0[Content_Types].xml',
      };
      for (const [kind, bytes] of Object.entries(heads)) {
        const { status, json } = await send({ file: csv(Uint8Array.from(Buffer.from(bytes, 'latin1')), 'x.csv') });
        expect({ status, code: json.code }).toEqual({ status: 400, code: 'not_csv' });
        expect(json.detail).toMatch(
          kind === 'XLSX' ? /^Invalid file format\..*save it as CSV/ : /^Invalid file format\.$/,
        );
      }
    });

    test('C3: wrong headers are named', async () => {
      const { status, json } = await send({ file: csv('1,2,3\n', 'x.csv', 'a,b,c\n') });
      expect(status).toBe(400);
      expect(json).toMatchObject({ detail: 'Invalid CSV headers.', code: 'csv_missing_columns' });
      expect(json.missing).toEqual(['S. No.', 'Product Name', 'Input Image Urls']);
    });

    test('C4: empty, without rows and without URLs are three sentences', async () => {
      const sentence = async (file: File) => (await send({ file })).json.detail;
      expect(await sentence(csv('', 'x.csv', ''))).toBe('CSV file is empty.');
      expect(await sentence(csv(''))).toBe('CSV has no data rows.');
      expect(await sentence(csv('1,A,\n2,B,\n'))).toBe('CSV has no image URLs.');
    });

    test('C5: the name of the file says nothing', async () => {
      for (const name of ['T.CSV', 'data.txt', ''])
        expect(await send({ file: csv(`1,A,${host}/a.jpg\n`, name) })).toMatchObject({ status: 200 });
    });

    test('C6: a URL that is none fails alone and keeps its slot', async () => {
      const { json } = await send({ file: csv(`1,A,"${host}/a.jpg,htp://x/1.jpg,${host}/b.png"\n`) });
      expect(await finish(json.request_id)).toMatchObject({
        status: 'completed',
        processed_images: 2,
        failed_images: 1,
      });
      const { text } = await served.ask(`/download/${json.request_id}?form=original`);
      expect(text).toMatch(/\.jpg,,http[^,]+\.png",partially_succeeded,2:invalid_url\r?\n$/);
    });

    test('C7: with strict such a URL refuses the catalog, with its line', async () => {
      const before = await batches();
      const reply = await send({ file: csv(`1,A,"${host}/a.jpg,htp://x/1.jpg"\n2,B,foo\n`) }, '?strict=true');
      expect(reply.status).toBe(422);
      expect(reply.json.detail.map(({ loc }: { loc: unknown[] }) => loc)).toEqual([
        ['body', 'file', 2, 'Input Image Urls'],
        ['body', 'file', 3, 'Input Image Urls'],
      ]);
      expect(await batches()).toBe(before);
      expect((await send({ file: good() }, '?strict=maybe')).json.detail[0].type).toBe('bool_parsing');
    });

    test('C8: a bad webhook is 422 with the place where it stood', async () => {
      const place = async (form: Record<string, string>, query = '') => {
        const { status, json } = await send({ file: good(), ...form }, query);
        return [status, json.detail[0].type, json.detail[0].loc.join('.')];
      };
      expect(await place({ webhook_url: 'ftp://x' })).toEqual([422, 'url_scheme', 'body.webhook_url']);
      expect(await place({ webhook_url: 'http://127.0.0.1/' })).toEqual([422, 'value_error', 'body.webhook_url']);
      expect(await place({}, '?webhook_url=nope')).toEqual([422, 'url_parsing', 'query.webhook_url']);
    });

    test('C9: an unknown id is 404, no id is 422, on both GETs', async () => {
      for (const path of ['/status/', '/download/']) {
        const unknown = await served.ask(`${path}01991111-1111-7111-8111-111111111111`);
        expect(unknown).toMatchObject({ status: 404, json: { detail: 'Request not found.' } });
        const none = await served.ask(`${path}abc`);
        expect(none).toMatchObject({
          status: 422,
          json: { detail: [{ type: 'uuid_parsing', loc: ['path', 'request_id'] }] },
        });
      }
    });

    test('C10: a download before the end is 409, with partial all rows', async () => {
      const release = served.pictures.hold();
      const { json } = await send({ file: csv(`1,A,${host}/a.jpg?10\n2,B,${host}/b.png?10\n`) });
      const early = await served.ask(`/download/${json.request_id}`);
      const partial = await served.ask(`/download/${json.request_id}?partial=true`);
      release();
      expect(early).toMatchObject({ status: 409, json: { detail: 'Processing is not complete', code: 'not_ready' } });
      expect(early.json.status).toMatch(/^(pending|processing)$/);
      expect(Number(early.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(partial.text.split('\r\n').slice(1, -1)).toEqual([`1,A,${host}/a.jpg?10,`, `2,B,${host}/b.png?10,`]);
      await finish(json.request_id);
    });

    test('C11: names are kept verbatim, and made harmless only for spreadsheets', async () => {
      const { json } = await send({
        file: csv(`1,../../x,${host}/a.jpg\n2,=cmd(),${host}/a.jpg\n3,"a""b,c",${host}/a.jpg\n`),
      });
      await finish(json.request_id);
      const { text } = await served.ask(`/download/${json.request_id}`);
      expect(text).toContain('\r\n1,../../x,');
      expect(text).toContain('\r\n2,=cmd(),');
      expect(text).toContain('\r\n3,"a""b,c",');
      const { text: excel } = await served.ask(`/download/${json.request_id}?excel=1`);
      expect(excel).toMatch(/\r\n2,"?'=cmd\(\)"?,/);
    });

    test('C12: the same URL in two rows is fetched once', async () => {
      const url = `${host}/a.jpg?twice`;
      const before = served.pictures.asked.get('/a.jpg') ?? 0;
      const { json } = await send({ file: csv(`1,A,${url}\n2,B,${url}\n`) });
      expect(await finish(json.request_id)).toMatchObject({ total_images: 2, processed_images: 2 });
      expect(served.pictures.asked.get('/a.jpg')).toBe(before + 1);
    });

    test('C13: an inward source fails alone, as blocked', async () => {
      const { json } = await send({ file: csv(`1,A,http://169.254.169.254/latest\n2,B,${host}/a.jpg\n`) });
      expect(await finish(json.request_id)).toMatchObject({
        status: 'completed',
        processed_images: 1,
        failed_images: 1,
      });
      const { text } = await served.ask(`/download/${json.request_id}?form=failed`);
      expect(text).toContain('1:blocked_address');
    });
  });

  test.skipIf(!hasShared)('C14: the sample catalogs have the counts of their list', async () => {
    // Nobody works: their hosts are real and not ours.
    await using served = await openServed(engine, { work: false });
    const lines = sampleBytes('SOURCES.md')
      .toString()
      .matchAll(/^\| (\S+\.csv) \| \d+ \| \d+ \| (\d+) \|/gm);
    const counts = [...lines].map(([, name = '', images]) => ({ name, images: Number(images) }));
    expect(counts).toHaveLength(13);
    for (const { name, images } of counts) {
      const reply = await served.ask('/upload', { form: { file: csv(Uint8Array.from(sampleBytes(name)), name) } });
      expect([name, reply.status, reply.json.total_images]).toEqual([name, 200, images]);
    }
  });
});
