// tasks-results.test.ts — surface E: the result of a task in its two forms, at once, at the end and after it.

import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sweepTrash } from '../../src/batches/sweep.ts';
import { onEachDatabase } from '../support/databases.ts';
import { faultsOf } from '../support/jobs.ts';
import { csv, openServed, type Served } from '../support/served.ts';
import { noisy, pictureFile, resultPath, taskPath, tasksOn } from '../support/tasks.ts';

onEachDatabase((engine) => {
  describe('results', () => {
    let served: Served;
    let wide: File;
    beforeAll(async () => {
      served = await openServed(engine);
      wide = pictureFile(await noisy(1600, 800).jpeg().toBuffer(), 'wide.jpg');
    });
    afterAll(() => served[Symbol.asyncDispose]());

    const { send, finish, result, bytesOf, run } = tasksOn(() => served);

    test('E1: data is a JPEG of 800x400, equal to the bytes at url', async () => {
      const { json } = await send({ file: wide, width: '800', height: '600', preserve_ratio: 'true' });
      await finish(json.id);
      const { data, url, ...facts } = await result(json.id);
      const bytes = Buffer.from(data, 'base64');
      expect(facts).toEqual({
        status: 'completed',
        content_type: 'image/jpeg',
        width: 800,
        height: 400,
        size: bytes.length,
      });
      expect(data).toMatch(/^[A-Za-z0-9+/]+={0,2}$/);
      expect(data.length % 4).toBe(0);
      const { pathname } = new URL(url);
      const stored = await fetch(served.url + pathname);
      expect(Buffer.from(await stored.arrayBuffer()).equals(bytes)).toBe(true);
      expect(await sharp(bytes).metadata()).toMatchObject({ format: 'jpeg', width: 800, height: 400 });
    });

    test('E2: without the ratio it is exactly 800x600', async () => {
      expect(await run({ file: wide, width: '800', height: '600', preserve_ratio: 'false' })).toMatchObject({
        width: 800,
        height: 600,
      });
    });

    test('E3: a smaller picture is enlarged', async () => {
      const small = pictureFile(await noisy(400, 200).jpeg().toBuffer());
      expect(await run({ file: small, width: '800', height: '600' })).toMatchObject({ width: 800, height: 400 });
    });

    test('E4: one side alone keeps the ratio either way', async () => {
      for (const preserve_ratio of ['true', 'false'])
        expect(await run({ file: wide, width: '800', preserve_ratio })).toMatchObject({ width: 800, height: 400 });
      expect(await run({ file: wide, height: '200' })).toMatchObject({ width: 400, height: 200 });
    });

    test('E9: a picture that breaks off is taken, and then fails with a sentence', async () => {
      const whole = await noisy(1600, 800).jpeg().toBuffer();
      const { status, json } = await send({ file: pictureFile(whole.subarray(0, whole.length / 2)), width: '80' });
      expect(status).toBe(202);
      const error = 'The image is damaged or incomplete.';
      expect(await finish(json.id)).toMatchObject({ status: 'failed', error });
      expect(await served.ask(resultPath(json.id))).toMatchObject({
        status: 200,
        json: { status: 'failed', data: null, error },
      });
      const raw = await served.ask(`${resultPath(json.id)}?format=raw`);
      expect(raw).toMatchObject({ status: 409, json: { detail: error, code: 'corrupt_image' } });
    });

    test('E10: before the end the result is 202 without data, raw 409, both with Retry-After', async () => {
      // Nobody works here.
      await using idle = await openServed(engine, { work: false });
      const { json } = await idle.ask('/api/v1/tasks', { form: { file: wide, width: '8' } });
      const early = await idle.ask(resultPath(json.id));
      expect(early).toMatchObject({ status: 202, json: { status: 'pending', data: null } });
      const raw = await idle.ask(`${resultPath(json.id)}?format=raw`);
      expect(raw).toMatchObject({ status: 409, json: { code: 'not_ready', status: 'pending' } });
      for (const { headers } of [early, raw]) expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    });

    test('E11: who wants pictures gets the bytes, everybody else JSON', async () => {
      const { json } = await send({ file: wide, width: '80' });
      await finish(json.id);
      const typeOf = async (query: string, accept?: string) => {
        const reply = await fetch(served.url + resultPath(json.id) + query, { ...(accept && { headers: { accept } }) });
        const bytes = Buffer.from(await reply.arrayBuffer());
        const isPicture = bytes.equals(await bytesOf(json.id));
        const type = reply.headers.get('content-type')?.split(';')[0];
        expect([query, accept, isPicture]).toEqual([query, accept, type === 'image/jpeg']);
        return type;
      };
      const browser = 'image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5';
      expect(await typeOf('', 'image/*')).toBe('image/jpeg');
      expect(await typeOf('', browser)).toBe('image/jpeg');
      expect(await typeOf('?format=raw')).toBe('image/jpeg');
      expect(await typeOf('?format=raw', 'application/json')).toBe('image/jpeg');
      expect(await typeOf('', '*/*')).toBe('application/json');
      expect(await typeOf('')).toBe('application/json');
      expect(await typeOf('', 'text/html,image/webp,*/*;q=0.8')).toBe('application/json');
      expect(await typeOf('', 'image/png;q=0, */*;q=0')).toBe('application/json');
      expect(await typeOf('?format=json', 'image/*')).toBe('application/json');
      expect(await faultsOf(served.ask(`${resultPath(json.id)}?format=xml`))).toEqual([
        ['value_error', 'query.format'],
      ]);
      const { headers } = await served.ask(resultPath(json.id));
      expect(headers.get('vary')).toContain('Accept');
      const head = await fetch(served.url + resultPath(json.id), { method: 'HEAD' });
      expect(head.headers.get('content-length')).toBe(headers.get('content-length'));
    });

    test('E12: PNG with alpha and WebP come back in their format, alpha kept', async () => {
      const clear = () => sharp({ create: { width: 64, height: 32, channels: 4, background: '#ff000080' } });
      for (const [format, bytes] of Object.entries({
        png: await clear().png().toBuffer(),
        webp: await clear().webp().toBuffer(),
      }))
        expect(await run({ file: pictureFile(bytes), width: '32' })).toEqual({
          format,
          width: 32,
          height: 16,
          channels: 4,
        });
    });

    test('E14: a picture that lies on its side is scaled upright', async () => {
      const lying = pictureFile(await noisy(1600, 1200).withMetadata({ orientation: 6 }).jpeg().toBuffer());
      expect(await run({ file: lying, width: '800', height: '600' })).toMatchObject({ width: 450, height: 600 });
    });

    test('a result that was let go is 410, as JSON and raw', async () => {
      const { json } = await send({ file: wide, width: '35' });
      await finish(json.id);
      const { url } = await result(json.id);
      const name = new URL(url).pathname.split('/').at(-1) ?? '';
      await served.app.db.query.updateTable('renditions').set({ file: null }).where('file', '=', name).execute();
      for (const query of ['', '?format=raw'])
        expect(await served.ask(resultPath(json.id) + query)).toMatchObject({ status: 410, json: { code: 'expired' } });
      expect(await served.ask(taskPath(json.id))).toMatchObject({ status: 200, json: { status: 'completed' } });
      await sweepTrash(served.app);
    });

    test('any image answers here, and its id in any spelling', async () => {
      const rows = csv(`1,A,http://${served.pictures.host}/b.png\n`);
      const { request_id } = (await served.ask('/upload', { form: { file: rows } })).json;
      const [image] = (await served.ask(`/v1/batches/${request_id}/images`)).json.items;
      expect(await finish(image.id.toUpperCase().replaceAll('-', ''))).toMatchObject({ id: image.id });
      expect(await result(`${image.id}/`)).toMatchObject({ content_type: 'image/png', width: 320, height: 200 });
    });
  });
});
