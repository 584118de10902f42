// image-process.test.ts — surface B: its README's commands, and what it says where the README is silent.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { onEachDatabase } from '../support/databases.ts';
import { runContract } from '../support/contract-files.ts';
import { openReceiver, type Receiver } from '../support/receiver.ts';
import { csv, ended, openServed, type Served } from '../support/served.ts';

const upload = '/image_process/upload/';
const status = (id: string) => `/image_process/status/${id}/`;

onEachDatabase((engine) => {
  describe('README B', () => {
    test('runs as written', async () => {
      expect(await runContract('image-process', engine, 'as written')).toBeGreaterThan(2);
    });
    test('runs with the other slashes', async () => {
      expect(await runContract('image-process', engine, 'the other way')).toBeGreaterThan(2);
    });
  });

  describe('cases', () => {
    let served: Served;
    let receiver: Receiver;
    let host: string;
    beforeAll(async () => {
      receiver = await openReceiver(() => ({ status: 200 }));
      served = await openServed(engine, { allow: [receiver.host] });
      host = `http://${served.pictures.host}`;
    });
    afterAll(async () => {
      await served[Symbol.asyncDispose]();
      await receiver[Symbol.asyncDispose]();
    });
    const good = () => csv(`1,A,${host}/a.jpg\n`);
    const send = (form: Record<string, string | File>) => served.ask(upload, { form });
    const batches = async () => ((await served.ask('/v1/batches?limit=500')).json.items as unknown[]).length;

    test('B1: no file, an empty object and a body of unknown type are all "No file uploaded"', async () => {
      const bodies: RequestInit[] = [
        { method: 'POST' },
        { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } },
        { method: 'POST', body: '<x/>', headers: { 'content-type': 'application/xml' } },
      ];
      for (const body of bodies)
        expect(await served.ask(upload, body)).toMatchObject({ status: 400, json: { error: 'No file uploaded' } });
      expect(await send({ webhook_url: 'https://x.example' })).toMatchObject({
        status: 400,
        json: { code: 'no_file' },
      });
    });

    test('B2: an empty file, or blank lines, has no data', async () => {
      for (const text of ['', '\n\n  \n']) {
        const reply = await send({ file: csv(text, 'x.csv', '') });
        expect(reply).toMatchObject({ status: 400, json: { error: 'CSV file has no data', code: 'csv_empty' } });
      }
    });

    test('B3: a header alone has no rows', async () => {
      const reply = await send({ file: csv('') });
      expect(reply).toMatchObject({ status: 400, json: { error: 'CSV has no data rows', code: 'csv_no_rows' } });
    });

    test('B4: a missing column is named', async () => {
      const reply = await send({ file: csv('1,http://a/1.jpg\n', 'x.csv', 'S. No.,Input Image Urls\n') });
      expect(reply).toMatchObject({ status: 400, json: { error: 'Missing columns: Product Name' } });
    });

    test('B5: a bad webhook is refused and nothing is made; an empty one counts as absent', async () => {
      const before = await batches();
      const bad = { 'ftp://x': 'invalid_url', 'http://u:p@h/': 'invalid_url' };
      const blocked = { 'http://127.0.0.1/': 'blocked_address', 'http://[::ffff:10.0.0.1]/': 'blocked_address' };
      for (const [url, code] of Object.entries({ ...bad, ...blocked }))
        expect(await send({ file: good(), webhook_url: url })).toMatchObject({ status: 400, json: { code } });
      expect(await batches()).toBe(before);
      expect(await send({ file: good(), webhook_url: '' })).toMatchObject({ status: 202 });
    });

    test('B6: a Windows-1252 file is read, with a warning, and its names come out right', async () => {
      const text = `S. No.,Product Name,Input Image Urls\n1,Café,${host}/a.jpg\n`;
      const reply = await send({ file: csv(Uint8Array.from(Buffer.from(text, 'latin1'))) });
      expect(reply).toMatchObject({ status: 202, json: { warnings: [{ code: 'decoded_as_windows_1252', line: 1 }] } });
      await served.until(status(reply.json.request_id), ended);
      expect((await served.ask(`/download/${reply.json.request_id}`)).text).toContain('1,Café,');
    });

    test('B7: where every image is missing the batch fails, says why, and the webhook is sent', async () => {
      const file = csv(`1,A,"${host}/x.jpg,${host}/y.jpg"\n`);
      const { json } = await send({ file, webhook_url: `${receiver.url}?b7` });
      const { json: last } = await served.until(status(json.request_id), ended);
      expect(last).toMatchObject({ status: 'failed', error: 'All 2 images failed: 2 x not_found', failed_images: 2 });
      await expect
        .poll(() => receiver.calls.filter(({ path }) => path.endsWith('?b7')).length, { timeout: 10_000 })
        .toBe(1);
    });

    test('B8: GET on the upload path is 405 with Allow', async () => {
      const reply = await served.ask(upload);
      expect(reply).toMatchObject({ status: 405, json: { error: 'Invalid request' } });
      expect(reply.headers.get('allow')).toBe('POST, OPTIONS');
    });

    test('B9: an unknown id and no id are 404; capitals without dashes are the same id', async () => {
      const { json } = await send({ file: good() });
      for (const id of ['01991111-1111-7111-8111-111111111111', 'abc'])
        expect(await served.ask(status(id))).toMatchObject({ status: 404, json: { error: 'Not found' } });
      const shouted = String(json.request_id).replaceAll('-', '').toUpperCase();
      const reply = await served.ask(status(shouted));
      expect(reply).toMatchObject({ status: 200, json: { request_id: json.request_id } });
    });

    test('B10: webhook_format=multipart sends request_id, status and the CSV, signed', async () => {
      const form = { file: good(), webhook_url: `${receiver.url}?b10`, webhook_format: 'multipart' };
      const { json } = await send(form);
      const called = () => receiver.calls.find(({ path }) => path.endsWith('?b10'));
      await expect.poll(called, { timeout: 10_000 }).toBeDefined();
      const call = called()!;
      const type = String(call.headers['content-type']);
      const parts = await new Response(Uint8Array.from(call.body), { headers: { 'content-type': type } }).formData();
      expect(parts.get('request_id')).toBe(json.request_id);
      expect(parts.get('status')).toBe('completed');
      const file = parts.get('file') as File;
      expect(file.name).toBe(`output_${json.request_id}.csv`);
      expect(await file.text()).toBe((await served.ask(`/download/${json.request_id}`)).text);
      expect(call.headers['webhook-signature']).toMatch(/^v1,/);
    });

    test('B11: a bare CSV with the webhook in the query is like a form', async () => {
      const path = `${upload}?webhook_url=${encodeURIComponent(`${receiver.url}?b11`)}`;
      for (const type of ['text/csv', 'text/plain', 'application/vnd.ms-excel', 'application/octet-stream; x=y']) {
        const reply = await served.ask(path, { method: 'POST', body: good(), headers: { 'content-type': type } });
        expect(reply).toMatchObject({ status: 202, json: { total_images: 1 } });
      }
      await expect
        .poll(() => receiver.calls.filter(({ path: at }) => at.endsWith('?b11')).length, { timeout: 10_000 })
        .toBe(4);
    });

    test('B12: serial numbers are kept as written, equal ones stay two products', async () => {
      const { json } = await send({ file: csv(`7,A,${host}/a.jpg\n3,B,${host}/a.jpg\n3,B,${host}/b.png\n`) });
      await served.until(status(json.request_id), ended);
      const lines = (await served.ask(`/download/${json.request_id}`)).text.split('\r\n').slice(1, -1);
      expect(lines.map((line) => line.split(',')[0])).toEqual(['7', '3', '3']);
    });

    test('takes the aliases of its fields, JSON with a data: URI, and fields behind the file', async () => {
      for (const field of ['csv_file', 'csvFile', 'csv'])
        expect(await send({ [field]: good(), callback_url: '' })).toMatchObject({ status: 202 });
      const uri = `data:text/csv;base64,${Buffer.from(await good().text()).toString('base64')}`;
      const body = JSON.stringify({ file: uri, webhookUrl: 'ftp://no' });
      const json = { method: 'POST', body, headers: { 'content-type': 'application/json' } };
      expect(await served.ask(upload, json)).toMatchObject({ status: 400, json: { code: 'invalid_url' } });
      const plain = { ...json, body: JSON.stringify({ file: uri }) };
      expect(await served.ask(upload, plain)).toMatchObject({ status: 202, json: { total_images: 1 } });
    });
  });
});
