// What was uploaded for later belongs to its sender, and a file that is swept meanwhile is no source of any batch.

import { expect, test } from 'vitest';
import { discardFiles, findUpload, keepCatalog, receiveFile, surveyUpload } from '../src/batches/uploads.ts';
import { bytesOf } from './support/batches.ts';
import { onEachDatabase } from './support/databases.ts';
import { openHouse } from './support/house.ts';
import { addFile } from './support/rows.ts';

const gif = Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64');
const ours = { owner: 'ours', label: 'a.gif' };

onEachDatabase((engine) => {
  test('an upload is found by its owner and by whoever sees all, never by others', async () => {
    await using house = await openHouse(engine);
    const received = await receiveFile(house.app, bytesOf(gif), ours);
    const { upload } = 'picture' in received ? received.picture : { upload: '' };
    for (const owner of ['ours', undefined])
      expect(await findUpload(house.app, upload, owner)).toMatchObject({ kind: 'source', label: 'a.gif' });
    for (const owner of ['theirs', '']) expect(await findUpload(house.app, upload, owner)).toBeUndefined();
    expect(await findUpload(house.app, await addFile(house.app.db, 'result'))).toBeUndefined();
  });

  test('a catalog is judged again from storage, as it was when it came', async () => {
    await using house = await openHouse(engine);
    const rows = bytesOf('sku;url\n7;https://a.example/1.jpg\n8;htp://no\n');
    const received = await receiveFile(house.app, rows, ours);
    const catalog = 'catalog' in received ? received.catalog : undefined;
    await keepCatalog(house.app, catalog!, ours);
    const found = await findUpload(house.app, catalog!.file, 'ours');
    expect(await surveyUpload(house.app, found!)).toEqual(catalog);
    await discardFiles(house.app, [received]);
    expect(await findUpload(house.app, catalog!.file)).toBeUndefined();
    expect(await house.app.storage.list(undefined, 10)).toEqual([]);
    await expect(surveyUpload(house.app, found!)).rejects.toMatchObject({ code: 'unknown_upload' });
  });

  test('a catalog that is being removed makes no batch', async () => {
    await using house = await openHouse(engine);
    const received = await receiveFile(house.app, bytesOf('url\nhttps://a.example/1.jpg\n'), ours);
    const catalog = 'catalog' in received ? received.catalog : undefined;
    await keepCatalog(house.app, catalog!, ours);
    await house.app.db.query.updateTable('files').set({ gone_at: new Date() }).execute();
    await expect(house.submit({ catalog: catalog! })).rejects.toMatchObject({ code: 'unknown_upload' });
    expect(await house.app.db.query.selectFrom('batches').select('id').execute()).toEqual([]);
  });
});
