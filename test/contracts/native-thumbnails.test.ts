// native-thumbnails.test.ts — originals to take away, and small pictures of before and after.

import sharp from 'sharp';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { prune } from '../../src/batches/prune.ts';
import { emptyTrash } from '../../src/batches/sweep.ts';
import { onEachDatabase } from '../support/databases.ts';
import { openServed, type Served } from '../support/served.ts';

const never = new AbortController().signal;

onEachDatabase((engine) => {
  let served: Served;
  let host: string;
  let photo: Buffer<ArrayBuffer>;
  beforeAll(async () => {
    served = await openServed(engine);
    host = `http://${served.pictures.host}`;
    const create = { width: 800, height: 400, channels: 3, background: '#c33' } as const;
    photo = Buffer.from(await sharp({ create }).png().toBuffer());
  });
  afterAll(() => served[Symbol.asyncDispose]());

  const uploaded = async (pipeline = 'grayscale') => {
    const file = new File([photo], 'Übung 1.png');
    const { json: batch } = await served.ask('/v1/batches?wait=30', { form: { file, pipeline } });
    return firstOf(batch.id);
  };
  const fetched = async (name: string) => {
    const body = JSON.stringify({ images: [{ source: { url: `${host}/${name}` } }] });
    const headers = { 'content-type': 'application/json' };
    const { json: batch } = await served.ask('/v1/batches?wait=30', { method: 'POST', body, headers });
    return firstOf(batch.id);
  };
  const firstOf = async (batchId: string) =>
    (await served.ask(`/v1/batches/${batchId}/images`)).json.items[0] as {
      id: string;
      batch_id: string;
      links: Record<string, string | null>;
    };
  const picture = async (path: string) => {
    const response = await fetch(served.url + path);
    return { status: response.status, headers: response.headers, body: Buffer.from(await response.arrayBuffer()) };
  };
  const look = (id: string, query = '') => picture(`/v1/images/${id}/thumbnail${query}`);

  test('an original comes back as it was sent, to be saved and never shown', async () => {
    const { id, links } = await uploaded();
    expect(links.source).toMatch(new RegExp(`^http.*/v1/images/${id}/source$`));
    const { status, headers, body } = await picture(`/v1/images/${id}/source`);
    expect(status).toBe(200);
    expect(body.equals(photo)).toBe(true);
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-disposition': 'attachment; filename="_bung 1.png"; filename*=UTF-8\'\'%C3%9Cbung%201.png',
      'content-security-policy': "default-src 'none'; sandbox",
      'cache-control': 'private, no-store',
      'x-content-type-options': 'nosniff',
      'content-length': String(photo.length),
    });
    const head = await served.ask(`/v1/images/${id}/source`, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length')]).toEqual([200, String(photo.length)]);
  });

  test('the source of a URL image is not ours to give, and a swept one is gone', async () => {
    const remote = await fetched('a.jpg');
    expect(remote.links.source).toBeNull();
    expect(await served.ask(`/v1/images/${remote.id}/source`)).toMatchObject({ status: 404 });
    const { id, batch_id } = await uploaded();
    await sql`update batches set finished_at = now() - interval '8 days' where id = ${batch_id}`.execute(
      served.app.db.query,
    );
    await prune(served.app);
    await emptyTrash(served.app, never);
    expect(await served.ask(`/v1/images/${id}/source`)).toMatchObject({ status: 410, json: { code: 'expired' } });
  });

  test('thumbnails show before and after, in two sizes, and are made once', async () => {
    const { id } = await uploaded();
    const result = await look(id);
    expect([result.status, result.headers.get('content-type')]).toEqual([200, 'image/webp']);
    expect(result.headers.get('cache-control')).toBe('private, no-cache');
    expect(await sharp(result.body).metadata()).toMatchObject({ format: 'webp', width: 256, height: 128 });
    const before = await look(id, '?of=source&size=1600');
    expect(await sharp(before.body).metadata()).toMatchObject({ format: 'webp', width: 800, height: 400 });
    const [shown, sent] = await Promise.all([result, before].map(({ body }) => sharp(body).stats()));
    expect(Math.abs(shown!.channels[0]!.mean - shown!.channels[2]!.mean)).toBeLessThan(3);
    expect(sent!.channels[0]!.mean - sent!.channels[2]!.mean).toBeGreaterThan(100);
    const again = await look(id);
    expect(again.headers.get('etag')).toBe(result.headers.get('etag'));
    const etag = result.headers.get('etag') ?? '';
    const kept = await served.ask(`/v1/images/${id}/thumbnail`, { headers: { 'if-none-match': etag } });
    expect(kept.status).toBe(304);
    const { json: image } = await served.ask(`/v1/images/${id}`);
    expect(image.renditions).toMatchObject([{ name: 'default', pipeline: ['grayscale'] }]);
    expect(image.renditions).toHaveLength(1);
  });

  test('many lookers at once are one making, and the source of a URL is fetched anew once', async () => {
    const { id } = await fetched('b.png');
    const asked = served.pictures.asked.get('/b.png') ?? 0;
    const looks = await Promise.all(Array.from({ length: 8 }, () => look(id, '?of=source')));
    expect(looks.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200));
    expect(served.pictures.asked.get('/b.png')).toBe(asked + 1);
    const { rows } = await sql<{ n: number }>`
      select count(*) as n from renditions where image_id = ${id} and name like '.%'`.execute(served.app.db.query);
    expect(Number(rows[0]!.n)).toBe(1);
  });

  test('what cannot be shown is not found, and no fault of ours', async () => {
    const { id } = await fetched('gone.jpg');
    for (const query of ['', '?of=source'])
      expect(await served.ask(`/v1/images/${id}/thumbnail${query}`)).toMatchObject({
        status: 404,
        json: { code: 'not_found' },
      });
    const broken = new File([photo.subarray(0, 60)], 'half.png');
    const { json: batch } = await served.ask('/v1/batches?wait=30', { form: { file: broken } });
    const half = await firstOf(batch.id);
    expect((await look(half.id, '?of=source')).status).toBe(404);
    expect((await picture(`/v1/images/${half.id}/source`)).status).toBe(200);
    expect((await look('0199a3c4-5b1e-7c3d-9f00-2b7c8f1e4a55')).status).toBe(404);
    for (const query of ['?size=300', '?of=result', '?sise=256'])
      expect((await look(half.id, query)).status, query).toBe(400);
  });

  test('a thumbnail goes with its image', async () => {
    const { id } = await uploaded('webp');
    expect((await look(id)).status).toBe(200);
    await served.ask(`/v1/images/${id}`, { method: 'DELETE' });
    await emptyTrash(served.app, never);
    const { rows } = await sql<{ name: string }>`
      select name from files f where not exists (select 1 from renditions r where r.file = f.name)
        and not exists (select 1 from images i where i.source_file = f.name)`.execute(served.app.db.query);
    expect(rows).toEqual([]);
  });
});
