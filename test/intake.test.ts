// What people send is taken whole or not at all, and what they write into it never becomes our fault.

import { describe, expect, test } from 'vitest';
import { discardReceived, receiveCatalog, receiveUpload } from '../src/batches/intake.ts';
import { problem } from '../src/problem.ts';
import type { Storage } from '../src/storage/storage.ts';
import { bytesOf, catalogRows, doChore, submitCatalog } from './support/batches.ts';
import { onEachDatabase } from './support/databases.ts';
import { openHouse, type House } from './support/house.ts';

const gif = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64');
const header = 'S. No.,Product Name,Input Image Urls\n';
const stored = (house: House) => house.app.storage.list(undefined, 1_000);
const withStorage = (house: House, more: Partial<Storage>) => ({
  ...house.app,
  storage: { ...house.app.storage, ...more },
});
const full = () => Promise.reject(problem('storage_full'));

onEachDatabase((engine) => {
  describe('a catalog', () => {
    test('is stored while it is read, and told in numbers', async () => {
      await using house = await openHouse(engine);
      const catalog = await receiveCatalog(house.app, bytesOf(header, catalogRows(3)), { required: 'all' });
      expect(catalog).toMatchObject({ products: 3, images: 3, problemCount: 0 });
      expect((await stored(house)).map(({ bytes }) => bytes)).toEqual([catalog.bytes]);
      await discardReceived(house.app, catalog.file);
      expect(await stored(house)).toEqual([]);
    });

    test('that is refused, cut off or too large leaves nothing', async () => {
      await using house = await openHouse(engine);
      const small = { ...house.app, config: { ...house.app.config, maxCsv: 100 } };
      async function* cut() {
        yield Buffer.from(header);
        throw new Error('the connection was cut');
      }
      const options = { required: 'all' } as const;
      await expect(receiveCatalog(house.app, bytesOf('a,b\n1,2\n'), options)).rejects.toMatchObject({
        code: 'csv_missing_columns',
      });
      await expect(receiveCatalog(house.app, cut(), options)).rejects.toThrow('cut');
      await expect(receiveCatalog(small, bytesOf(header, catalogRows(50)), options)).rejects.toMatchObject({
        code: 'too_large',
      });
      expect(await stored(house)).toEqual([]);
    });

    test('meets a full disk with a problem, not with an end of the process', async () => {
      await using house = await openHouse(engine);
      const app = withStorage(house, { put: full });
      await expect(receiveCatalog(app, bytesOf(header, catalogRows(2_000)), { required: 'all' })).rejects.toMatchObject(
        { code: 'storage_full' },
      );
    });

    test('of many rows and few images is expanded by a worker, not by the request', async () => {
      await using house = await openHouse(engine);
      const rows = Array.from({ length: 2_000 }, (_, n) => `${n},P,${n === 7 ? 'https://a.example/1.jpg' : ''}\n`).join(
        '',
      );
      const batch = await submitCatalog(house, rows);
      expect(batch).toMatchObject({ state: 'expanding', counts: { total: 1 } });
      await doChore(house);
      expect((await house.app.db.query.selectFrom('products').select('line').execute()).length).toBe(2_000);
      expect(await house.images(batch.id)).toMatchObject([{ position: 1, line: 9 }]);
    });
  });

  describe('an upload', () => {
    test('is what its bytes say, and has a row as soon as it is taken', async () => {
      await using house = await openHouse(engine);
      const taken = await receiveUpload(house.app, bytesOf(gif));
      expect(taken).toMatchObject({ mediaType: 'image/gif', bytes: gif.length });
      expect(taken.upload).toMatch(/^[a-z2-7]{26}\.gif$/);
      const row = await house.app.db.query
        .selectFrom('files')
        .selectAll()
        .where('name', '=', taken.upload)
        .executeTakeFirst();
      expect(row).toMatchObject({ kind: 'source', bytes: gif.length });
    });

    test('that is no picture, too large, or has no row leaves nothing', async () => {
      await using house = await openHouse(engine);
      const small = { ...house.app, config: { ...house.app.config, maxFile: 10 } };
      const away = { ...house.app, db: { ...house.app.db, query: house.app.db.query.withSchema('nowhere') } };
      await expect(receiveUpload(house.app, bytesOf('hello, I am a text'))).rejects.toMatchObject({
        code: 'not_an_image',
      });
      await expect(receiveUpload(small, bytesOf(gif))).rejects.toMatchObject({ code: 'too_large' });
      await expect(receiveUpload(away, bytesOf(gif))).rejects.toThrow('nowhere');
      expect(await stored(house)).toEqual([]);
    });
  });

  describe('a list of images', () => {
    test('may hold characters that a database cannot store', async () => {
      await using house = await openHouse(engine);
      const batch = await house.submit(
        [
          {
            source: { url: 'https://a.example/1.jpg' },
            ref: 'a\0b',
            name: '\0',
            product: { serial: '1\0', name: '\ud800x' },
          },
        ],
        { name: 'na\0me' },
      );
      expect(batch).toMatchObject({ name: 'name', counts: { total: 1 } });
      expect(await house.images(batch.id)).toMatchObject([{ ref: 'ab', name: '' }]);
    });

    test('of thousands goes in whole, in order, in bounded statements', async () => {
      await using house = await openHouse(engine);
      const images = Array.from({ length: 4_500 }, (_, n) => ({
        source: { url: `https://a.example/${n}.jpg` },
        product: { serial: String(n), name: 'P' },
      }));
      const batch = await house.submit(images);
      expect(batch).toMatchObject({ state: 'queued', counts: { total: 4_500 } });
      const rows = await house.images(batch.id);
      expect(rows.map(({ position }) => position)).toEqual(Array.from({ length: 4_500 }, (_, n) => n + 1));
      expect(rows.at(-1)).toMatchObject({ line: 4_500, source_url: 'https://a.example/4499.jpg' });
      const turns = rows.map(({ turn }) => turn);
      expect(turns).toEqual(turns.toSorted((a, b) => a - b));
    });
  });
});
