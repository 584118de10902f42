// native-uploads.test.ts — files for /v1: uploaded before their batch or sent with it, and batches that are only rehearsed.

import sharp from 'sharp';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { sql } from 'kysely';
import { prune } from '../../src/batches/prune.ts';
import { emptyTrash } from '../../src/batches/sweep.ts';
import { onEachDatabase } from '../support/databases.ts';
import { csv, openServed, type Served } from '../support/served.ts';

const json = (body: unknown, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/json', ...headers },
});
const never = new AbortController().signal;

onEachDatabase((engine) => {
  let served: Served;
  let host: string;
  let photo: File;
  beforeAll(async () => {
    served = await openServed(engine);
    host = `http://${served.pictures.host}`;
    const noise = { type: 'gaussian', mean: 128, sigma: 30 } as const;
    const drawn = sharp({ create: { width: 320, height: 200, channels: 3, background: '#777', noise } });
    photo = new File([new Uint8Array(await drawn.jpeg().toBuffer())], 'photo.jpg', { type: 'text/plain' });
  });
  afterAll(() => served[Symbol.asyncDispose]());
  beforeEach(async () => {
    await served.app.db.query.deleteFrom('batches').execute();
    await sql`insert into trash (file) select name from files on conflict do nothing`.execute(served.app.db.query);
    await emptyTrash(served.app, never);
  });

  const upload = (form: FormData, headers: Record<string, string> = {}) =>
    served.ask('/v1/uploads', { method: 'POST', body: form, headers });
  const formOf = (...files: File[]) => {
    const form = new FormData();
    for (const file of files) form.append('file', file);
    return form;
  };
  const create = (body: unknown, query = '?wait=30') => served.ask(`/v1/batches${query}`, json(body));
  const send = (form: FormData, query = '?wait=30') =>
    served.ask(`/v1/batches${query}`, { method: 'POST', body: form });
  const stored = async () => (await served.app.storage.list(undefined, 1_000)).length;
  const rows = async () => (await served.app.db.query.selectFrom('files').select('name').execute()).length;

  test('pictures and a catalog are taken in one form and told apart by their content', async () => {
    const catalog = csv(`1,A,${host}/a.jpg\n`, 'photo.png');
    const reply = await upload(formOf(photo, catalog));
    expect(reply).toMatchObject({
      status: 201,
      json: {
        items: [
          { name: 'photo.jpg', media_type: 'image/jpeg', bytes: photo.size, upload: expect.stringMatching(/\.jpg$/) },
          { name: 'photo.png', media_type: 'text/csv', bytes: catalog.size, upload: expect.stringMatching(/\.csv$/) },
        ],
      },
    });
    expect(reply.json.items[0].sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  test('a batch names an uploaded picture and shows its name', async () => {
    const { json: sent } = await upload(formOf(photo));
    const { json: batch } = await create({ images: [{ source: { upload: sent.items[0].upload } }] });
    expect(batch).toMatchObject({ state: 'succeeded', counts: { succeeded: 1 } });
    const { json: images } = await served.ask(`/v1/batches/${batch.id}/images`);
    expect(images.items[0].source).toMatchObject({ url: null, name: 'photo.jpg', media_type: 'image/jpeg' });
  });

  test('a catalog that was uploaded before serves several batches', async () => {
    const { json: sent } = await upload(formOf(csv(`1,A,${host}/a.jpg\n2,B,htp://nonsense\n`, 'spring.csv')));
    const catalog = { upload: sent.items[0].upload };
    for (const name of [undefined, 'again'])
      expect(await create({ catalog, name })).toMatchObject({
        status: 200,
        json: { name: name ?? 'spring.csv', counts: { total: 2, succeeded: 1, failed: 1 } },
      });
    expect(await create({ catalog, strict: true })).toMatchObject({ status: 422, json: { code: 'invalid_request' } });
    const picture = (await upload(formOf(photo))).json.items[0].upload;
    expect(await create({ catalog: { upload: picture } })).toMatchObject({ json: { code: 'unknown_upload' } });
  });

  test('when one file is refused none is kept, and each reason is told', async () => {
    const before = [await stored(), await rows()];
    const html = new File(['<html><body>hello</body></html>'], 'page.jpg');
    const notes = new File(['milk\neggs\n'], 'notes.txt');
    const reply = await upload(formOf(photo, html, notes));
    expect(reply.json.errors).toMatchObject([
      { pointer: '/file/1', detail: expect.stringMatching(/^page\.jpg: This is not an image/) },
      { pointer: '/file/2', detail: expect.stringMatching(/^notes\.txt: Missing columns/) },
    ]);
    expect(await upload(formOf(html))).toMatchObject({ status: 415, json: { code: 'not_an_image' } });
    expect(await upload(formOf(notes))).toMatchObject({ status: 422, json: { code: 'csv_missing_columns' } });
    expect(await upload(new FormData())).toMatchObject({ status: 400 });
    expect(await served.ask('/v1/uploads', json({}))).toMatchObject({ status: 415 });
    const named = formOf(photo);
    named.set('nmae', 'x');
    expect(await upload(named)).toMatchObject({ status: 422, json: { code: 'invalid_request' } });
    expect([await stored(), await rows()]).toEqual(before);
  });

  test('an upload with a key is kept once', async () => {
    const key = { 'idempotency-key': `u-${engine}` };
    const first = await upload(formOf(photo), key);
    const again = await upload(formOf(photo), key);
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(again.json).toEqual(first.json);
    expect(await upload(formOf(csv('1,A,http://x/a\n')), key)).toMatchObject({
      status: 422,
      json: { code: 'idempotency_mismatch' },
    });
    expect([await stored(), await rows()]).toEqual([1, 1]);
  });

  test('uploads that no batch names within a day are swept, and those in use stay', async () => {
    const { json: sent } = await upload(formOf(photo, csv(`1,A,${host}/a.jpg\n`), csv(`2,B,${host}/a.jpg\n`)));
    await create({ catalog: { upload: sent.items[1].upload } });
    await served.app.db.query
      .updateTable('files')
      .set({ created_at: new Date(Date.now() - 25 * 3_600_000) })
      .execute();
    await prune(served.app);
    await emptyTrash(served.app, never);
    const names = await served.app.db.query.selectFrom('files').select('name').where('kind', '!=', 'result').execute();
    expect(names.map(({ name }) => name)).toEqual([sent.items[1].upload]);
    expect(await create({ images: [{ source: { upload: sent.items[0].upload } }] })).toMatchObject({ status: 422 });
  });

  test('pictures come with their batch, in the order of the form', async () => {
    const form = formOf(photo, photo);
    form.set('pipeline', 'fit:100x100/webp');
    const { json: batch } = await send(form);
    expect(batch).toMatchObject({ state: 'succeeded', counts: { succeeded: 2 }, name: null });
    const { json: images } = await served.ask(`/v1/batches/${batch.id}/images`);
    expect(images.items).toMatchObject([
      { position: 1, source: { name: 'photo.jpg' }, renditions: [{ media_type: 'image/webp', width: 100 }] },
      { position: 2, source: { name: 'photo.jpg' } },
    ]);
  });

  test('a CSV comes alone, and a refused form keeps nothing', async () => {
    const before = [await stored(), await rows()];
    expect(await send(formOf(photo, csv(`1,A,${host}/a.jpg\n`)))).toMatchObject({
      status: 400,
      json: { code: 'one_file_only' },
    });
    const wrong = formOf(photo);
    wrong.set('pipeline', 'grayscal');
    expect(await send(wrong)).toMatchObject({ status: 422, json: { code: 'invalid_pipeline' } });
    expect(await send(formOf())).toMatchObject({ status: 400 });
    expect([await stored(), await rows()]).toEqual(before);
  });

  test('a form of pictures that is sent twice with one key makes one batch', async () => {
    const twice = { method: 'POST', headers: { 'idempotency-key': `b-${engine}` } };
    const first = await served.ask('/v1/batches?wait=30', { ...twice, body: formOf(photo) });
    const again = await served.ask('/v1/batches?wait=30', { ...twice, body: formOf(photo) });
    expect([again.json.id, again.headers.get('idempotent-replayed')]).toEqual([first.json.id, 'true']);
    const kept = await served.app.db.query.selectFrom('files').select('name').where('kind', '=', 'source').execute();
    expect(kept).toHaveLength(1);
  });

  test('a dry run tells what the batch would be and keeps nothing', async () => {
    const before = [await stored(), await rows()];
    const rehearsed = await send(
      formOf(csv(`1,A,"${host}/a.jpg,https://b.example/x.png"\n2,B,"${host}/a.jpg,htp://no"\n3,C,\n`)),
      '?dry_run=true',
    );
    expect(rehearsed).toMatchObject({
      status: 200,
      json: {
        rows: 3,
        images: 4,
        duplicates: 1,
        problems: [
          { line: 3, code: 'invalid_url', value: 'htp://no', column: 'Input Image Urls' },
          { line: 4, code: 'no_image_urls' },
        ],
        problems_total: 2,
        hosts: [
          { host: served.pictures.host, images: 2 },
          { host: 'b.example', images: 1 },
        ],
      },
    });
    const list = { images: [{ source: { url: `${host}/a.jpg` } }, { source: { url: `${host}/a.jpg` } }] };
    expect((await create(list, '?dry_run=true')).json).toMatchObject({ images: 2, duplicates: 1, problems: [] });
    expect((await send(formOf(photo, photo), '?dry_run=true')).json).toMatchObject({ images: 2, duplicates: 1 });
    expect(await create({ ...list, pipeline: 'nope' }, '?dry_run=true')).toMatchObject({ status: 422 });
    const bare = { method: 'POST', body: csv(`1,A,${host}/a.jpg\n`), headers: { 'content-type': 'text/csv' } };
    expect((await served.ask('/v1/batches?dry_run=1', bare)).json).toMatchObject({ rows: 1, images: 1 });
    expect((await served.ask('/v1/batches')).json.items).toEqual([]);
    expect([await stored(), await rows()]).toEqual(before);
  });

  test('a preset stands for its pipeline, and an unknown one is refused', async () => {
    const { json: presets } = await served.ask('/v1/presets');
    expect(presets.items).toMatchObject([
      { name: 'catalog', pipeline: ['compress:50'] },
      { name: 'upload', pipeline: ['fit:1500x'] },
    ]);
    const images = [{ source: { url: `${host}/a.jpg` } }];
    expect((await create({ images, preset: 'upload' }, '')).json.renditions).toEqual({ default: ['fit:1500x'] });
    const more = await create({ images, renditions: { small: 'preset:upload/webp' } }, '');
    expect(more.json.renditions).toEqual({ small: ['fit:1500x', 'webp'] });
    expect(await create({ images, preset: 'uplaod' })).toMatchObject({ status: 422, json: { code: 'unknown_preset' } });
    expect(await create({ images, preset: 'upload', pipeline: 'webp' })).toMatchObject({ status: 422 });
  });

  test('the long form of the output has a line for each image and is a catalog again', async () => {
    const form = formOf(csv(`7,A,"${host}/a.jpg,${host}/gone.jpg"\n8,B,\n`));
    const { json: batch } = await send(form);
    const { text } = await served.ask(`/v1/batches/${batch.id}/output.csv?form=long`);
    const lines = text.trimEnd().split('\r\n');
    expect(lines[0]).toBe('S. No.,Product Name,Input Image Urls,Output Image Urls,Status,Errors');
    expect(lines[1]).toMatch(new RegExp(`^7,A,${host}/a\\.jpg,http[^,]+\\.jpg,succeeded,$`));
    expect(lines.slice(2)).toEqual([`7,A,${host}/gone.jpg,,failed,1:not_found`, '8,B,,,skipped,']);
    const { json: again } = await send(formOf(new File([text], 'long.csv')));
    expect(again.counts).toMatchObject({ total: 2, succeeded: 1, failed: 1 });
  });
});
