// uploads.test.ts — surface A: its README's commands, and what it says where the README is silent.

import { sql } from 'kysely';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { onEachDatabase } from '../support/databases.ts';
import { runContract } from '../support/contract-files.ts';
import { openServed, type Served } from '../support/served.ts';
import { file, glass, photoOf, sendParts } from '../support/upload-pictures.ts';

type Row = { id: string; name: string; status: string; image: string | null; size: number; type: string | null };

onEachDatabase((engine) => {
  describe('README A', () => {
    test('runs as written', { timeout: 180_000 }, async () => {
      expect(await runContract('uploads', engine, 'as written')).toBeGreaterThan(5);
    });
    test('runs with the other slashes', { timeout: 180_000 }, async () => {
      expect(await runContract('uploads', engine, 'the other way')).toBeGreaterThan(5);
    });
  });

  describe('cases', () => {
    let served: Served;
    let photo: Uint8Array<ArrayBuffer>;
    beforeAll(async () => {
      served = await openServed(engine);
      photo = await photoOf(320, 200);
    });
    afterAll(() => served[Symbol.asyncDispose]());

    const upload = (...files: File[]) =>
      sendParts(
        served,
        '/api/upload',
        files.map((each) => ['image', each]),
      );
    const uploadMany = (files: File[], path = '/api/async/upload') =>
      sendParts(
        served,
        path,
        files.map((each) => ['images', each]),
      );
    const list = async () => (await served.ask('/api/list')).json as Row[];
    const files = async () => (await served.app.storage.list(undefined, 1000)).length;
    /** The rows with these ids, in this order, as soon as all have ended. */
    const ended = async (ids: string[]): Promise<Row[]> => {
      const rowsOf = (rows: Row[]) => ids.map((id) => rows.find((row) => row.id === id));
      const isOver = (row: Row | undefined) => row && !/^(pending|processing)$/.test(row.status);
      const { json } = await served.until('/api/list', (reply) => rowsOf(reply.json).every(isOver));
      return rowsOf(json) as Row[];
    };
    const idsOf = (json: { images: { id: string }[] }) => json.images.map(({ id }) => id);
    const result = async (path: string) => {
      const answer = await fetch(served.url + path);
      return { type: answer.headers.get('content-type'), bytes: Buffer.from(await answer.arrayBuffer()) };
    };

    test('A1: no body and no field image are no image file', async () => {
      const none = { status: 400, json: { error: 'No image file provided', code: 'no_file' } };
      const json = { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } };
      expect(await served.ask('/api/upload', { method: 'POST' })).toMatchObject(none);
      expect(await served.ask('/api/upload', json)).toMatchObject(none);
      expect(await served.ask('/api/upload', { form: { images: file(photo, 'a.jpg') } })).toMatchObject(none);
      expect(await served.ask('/api/upload', { form: { image: './forgotten-the-at.jpg' } })).toMatchObject(none);
      expect(await served.ask('/api/upload', { form: { image: file('', '') } })).toMatchObject(none);
    });

    test('A2: no body and text fields alone are no images', async () => {
      const none = { status: 400, json: { error: 'No images provided', code: 'no_file' } };
      for (const path of ['/api/async/upload', '/api/async/batch/upload']) {
        expect(await served.ask(path, { method: 'POST' })).toMatchObject(none);
        expect(await served.ask(path, { form: { images: 'a.jpg', title: 'x' } })).toMatchObject(none);
      }
    });

    test('A3: two images on the path for one are refused, and nothing is kept', async () => {
      const before = await files();
      const { status, json } = await upload(file(photo, 'a.jpg'), file(photo, 'b.jpg'));
      expect({ status, code: json.code }).toEqual({ status: 400, code: 'one_file_only' });
      expect(json.error).toContain('/api/async/upload');
      expect(await files()).toBe(before);
    });

    test('A4: a text and an empty file are refused, and leave neither a row nor a file', async () => {
      const before = { files: await files(), rows: await list() };
      for (const content of ['I am a text', '']) {
        const { status, json } = await upload(file(content, 'x.jpg'));
        expect({ status, json }).toMatchObject({ status: 400, json: { error: 'Invalid file type' } });
      }
      expect({ files: await files(), rows: await list() }).toEqual(before);
    });

    test('A5: half a JPEG is corrupt, and is listed as an error', async () => {
      const { status, json } = await upload(file(photo.slice(0, photo.length / 2), 'half.jpg'));
      expect({ status, code: json.code }).toEqual({ status: 400, code: 'corrupt_image' });
      expect(typeof json.error).toBe('string');
      const [newest] = await list();
      expect(newest).toMatchObject({ id: json.id, name: 'half.jpg', status: 'error', image: null });
    });

    test('A6: a PNG without extension and type is a PNG', async () => {
      const { status, json } = await upload(file(await glass(60, 40), 'picture'));
      expect({ status, json }).toMatchObject({ status: 200, json: { type: 'image/png', name: 'picture' } });
      expect((await result(json.image)).type).toBe('image/png');
    });

    test('A7: only what is wider than 1500 becomes smaller, and alpha is kept', async () => {
      const sizes: [Uint8Array<ArrayBuffer>, object][] = [
        [await photoOf(800, 600), { width: 800, height: 600, format: 'jpeg' }],
        [await photoOf(3000, 2000), { width: 1500, height: 1000, format: 'jpeg' }],
        [await glass(2000, 1000), { width: 1500, height: 750, format: 'png', hasAlpha: true }],
      ];
      for (const [bytes, expected] of sizes) {
        const { json } = await upload(file(bytes, 'a'));
        expect(await sharp((await result(json.image)).bytes).metadata()).toMatchObject(expected);
      }
    });

    test('A8: a text among pictures is an error of its own, with its event', async () => {
      const sent = [file(photo, 'a.jpg'), file('no picture', 'b.jpg'), file(await glass(50, 50), 'c.png')];
      const { status, json } = await uploadMany(sent);
      expect(status).toBe(200);
      expect(json.images).toMatchObject([
        { name: 'a.jpg', size: photo.length, status: 'pending' },
        { name: 'b.jpg', size: 10, status: 'error', code: 'not_an_image' },
        { name: 'c.png', status: 'pending' },
      ]);
      expect(await ended(idsOf(json))).toMatchObject([
        { status: 'completed', type: 'image/jpeg' },
        { status: 'error', size: 10, type: null },
        { status: 'completed', type: 'image/png' },
      ]);
      const { rows } = await sql<{ id: string; outcome: string }>`
        select i.id, substr(outcomes, i.n::int, 1) as outcome
        from events, unnest(images) with ordinality as i(id, n)
        where batch_id = ${json.batch_id} and type = 'images.settled'`.execute(served.app.db.query);
      const [a, b, c] = idsOf(json);
      expect(new Map(rows.map(({ id, outcome }) => [id, outcome]))).toEqual(
        new Map([
          [b, 'f'],
          [a, 's'],
          [c, 's'],
        ]),
      );
      expect(rows).toHaveLength(3);
    });

    test('A9: the same file twice is two images with a result each', async () => {
      const { json } = await uploadMany([file(photo, 'a.jpg'), file(photo, 'a.jpg')]);
      const rows = await ended(idsOf(json));
      expect(new Set(rows.map(({ id }) => id)).size).toBe(2);
      for (const { status, image } of rows) {
        expect(status).toBe('completed');
        expect((await sharp((await result(image ?? '')).bytes).metadata()).width).toBe(320);
      }
    });

    test('A10: the batch path answers 202 and counts', async () => {
      const sent = ['a', 'b', 'c'].map((name) => file(photo, name));
      const { status, json, headers } = await uploadMany(sent, '/api/async/batch/upload');
      expect({ status, message: json.message }).toEqual({
        status: 202,
        message: 'Batch upload of 3 images initiated',
      });
      expect(headers.get('location')).toBe(`/v1/batches/${json.batch_id}`);
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
      expect((await served.ask(headers.get('location') ?? '')).json.counts).toMatchObject({ total: 3 });
      await ended(idsOf(json));
    });

    test('A11: the list is JSON whatever is asked for', async () => {
      const { status, headers, json } = await served.ask('/api/list', { headers: { accept: 'text/html' } });
      expect([status, headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8']);
      expect(Array.isArray(json)).toBe(true);
    });

    test('A12: nobody posts to the list', async () => {
      const { status, headers, json } = await served.ask('/api/list', { method: 'POST' });
      expect([status, headers.get('allow')]).toEqual([405, 'GET, HEAD, OPTIONS']);
      expect(json.code).toBe('method_not_allowed');
    });

    test('A13: a name is its last component, as text', async () => {
      const { json } = await upload(file(photo, '../../etc/<b>.png'));
      expect(json).toMatchObject({ name: '<b>.png', type: 'image/jpeg' });
      expect(json.image).toMatch(/^\/media\/images\/[a-z2-7]{26}\.jpg$/);
      expect((await list()).find(({ id }) => id === json.id)?.name).toBe('<b>.png');
    });
  });
});
