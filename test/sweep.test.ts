// What nobody uses leaves storage, and nothing else does: also when a file finds a new user at the last moment.

import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { newFileName, newId } from '../src/batches/ids.ts';
import { emptyTrash, scrubStorage, sweepTrash } from '../src/batches/sweep.ts';
import { keyOf } from '../src/storage/storage.ts';
import { never } from './support/batches.ts';
import { databaseEngines, onEachDatabase } from './support/databases.ts';
import { ended, openHouse, success, type House } from './support/house.ts';

/** A file in storage with its row, which nobody uses. */
async function storeFile(house: House, kind: 'source' | 'result' = 'result'): Promise<string> {
  const name = newFileName('jpg');
  const { bytes, sha256 } = await house.app.storage.put(keyOf(name), Buffer.from(name), { type: 'image/jpeg' });
  await house.app.db.query
    .insertInto('files')
    .values({ name, kind, media_type: 'image/jpeg', bytes, sha256 })
    .execute();
  return name;
}

const throwAway = (house: House, files: string[]) =>
  house.app.db.query
    .insertInto('trash')
    .values(files.map((file) => ({ file })))
    .execute();

const isStored = async (house: House, name: string) => {
  const found = await house.app.storage.open(keyOf(name));
  found?.body.destroy();
  return found !== undefined;
};

const rowOf = (house: House, name: string) =>
  house.app.db.query.selectFrom('files').selectAll().where('name', '=', name).executeTakeFirst();

onEachDatabase((engine) => {
  describe('the sweep', () => {
    test('removes the object and the row of what nobody uses, and forgets the rest', async () => {
      await using house = await openHouse(engine);
      const worker = newId();
      await house.submitMany(1);
      const [item] = await house.claimAs(worker);
      const used = newFileName('jpg');
      await house.app.storage.put(keyOf(used), Buffer.from('used'), { type: 'image/jpeg' });
      await house.settleAs(worker, [ended(item!, success({ file: used }))]);
      const unused = await storeFile(house);
      await throwAway(house, [unused, used]);
      expect(await sweepTrash(house.app)).toBe(1);
      expect([await isStored(house, unused), await isStored(house, used)]).toEqual([false, true]);
      expect(await rowOf(house, unused)).toBeUndefined();
      expect(await house.app.db.query.selectFrom('trash').selectAll().execute()).toEqual([]);
    });

    test('goes on where it was stopped between the mark and the removal', async () => {
      await using house = await openHouse(engine);
      const name = await storeFile(house);
      await throwAway(house, [name]);
      const broken = { ...house.app.storage, remove: () => Promise.reject(new Error('the disk is away')) };
      await expect(sweepTrash({ ...house.app, storage: broken })).rejects.toThrow('away');
      expect((await rowOf(house, name))?.gone_at).toBeInstanceOf(Date);
      expect(await sweepTrash(house.app)).toBe(1);
      expect(await isStored(house, name)).toBe(false);
    });

    test('does not stop after one round while there is more', async () => {
      await using house = await openHouse(engine);
      const names = Array.from({ length: 1_200 }, () => newFileName('jpg'));
      const rows = names.map((name) => ({
        name,
        kind: 'result' as const,
        media_type: 'image/jpeg',
        bytes: 1,
        sha256: createHash('sha256').update(name).digest(),
      }));
      for (let from = 0; from < rows.length; from += 400)
        await house.app.db.query
          .insertInto('files')
          .values(rows.slice(from, from + 400))
          .execute();
      await throwAway(house, names);
      await emptyTrash(house.app, never);
      expect(await house.app.db.query.selectFrom('files').selectAll().execute()).toEqual([]);
    });

    test('lets an upload that is being removed be named by no new batch', async () => {
      await using house = await openHouse(engine);
      const upload = await storeFile(house, 'source');
      await throwAway(house, [upload]);
      const broken = { ...house.app.storage, remove: () => Promise.reject(new Error('the disk is away')) };
      await sweepTrash({ ...house.app, storage: broken }).catch(() => {});
      await expect(house.submit([{ source: { upload } }])).rejects.toMatchObject({ code: 'unknown_upload' });
      await sweepTrash(house.app);
      await expect(house.submit([{ source: { upload } }])).rejects.toMatchObject({ code: 'unknown_upload' });
    });
  });

  describe('the scrub', () => {
    test('removes old objects that no row knows, and neither known nor young ones', async () => {
      await using house = await openHouse(engine);
      const known = await storeFile(house);
      const stray = newFileName('jpg');
      await house.app.storage.put(keyOf(stray), Buffer.from('stray'), { type: 'image/jpeg' });
      expect(await scrubStorage(house.app, never)).toBe(0);
      expect(await scrubStorage(house.app, never, -60_000)).toBe(1);
      expect([await isStored(house, stray), await isStored(house, known)]).toEqual([false, true]);
    });
  });
});

// PGlite runs in this process and has its clock.
describe.skipIf(!databaseEngines.includes('postgres'))('beside others, on PostgreSQL', () => {
  test("the scrub goes by the database's clock, not by that of a machine that runs ahead", async () => {
    await using house = await openHouse('postgres');
    const stray = newFileName('jpg');
    await house.app.storage.put(keyOf(stray), Buffer.from('just stored'), { type: 'image/jpeg' });
    const now = Date.now;
    Date.now = () => now() + 2 * 86_400_000;
    try {
      expect(await scrubStorage(house.app, never)).toBe(0);
    } finally {
      Date.now = now;
    }
    expect(await isStored(house, stray)).toBe(true);
  });

  test('60 races of reuse against the sweep lose no referenced file', { timeout: 120_000 }, async () => {
    await using house = await openHouse('postgres');
    const worker = newId();
    const outcomes = { reused: 0, swept: 0 };
    const lost: string[] = [];
    for (let race = 0; race < 60; race += 1) {
      await house.submitMany(1);
      const [item] = await house.claimAs(worker, 1);
      const file = await storeFile(house);
      await throwAway(house, [file]);
      const sweeping = sleep(Math.max(0, (race % 12) - 6)).then(() => sweepTrash(house.app));
      await sleep(Math.max(0, 6 - (race % 12)));
      await house.settleAs(worker, [ended(item!, success({ file, fresh: false }))]);
      await sweeping;
      const isReused = (await house.image(item!.id)).state === 'succeeded';
      outcomes[isReused ? 'reused' : 'swept'] += 1;
      const isWhole = (await isStored(house, file)) && (await rowOf(house, file))?.gone_at === null;
      if (isReused && !isWhole) lost.push(file);
      const [again] = await house.claimAs(worker, 1);
      if (again) await house.settleAs(worker, [ended(again, { kind: 'failed', code: 'not_found' })]);
    }
    expect(lost).toEqual([]);
    expect(outcomes.reused).toBeGreaterThan(0);
    console.log(`reuse against sweep: ${JSON.stringify(outcomes)}, 0 lost`);
  });

  test('60 races of a new batch against the sweep lose no upload that was accepted', { timeout: 120_000 }, async () => {
    await using house = await openHouse('postgres');
    const outcomes = { accepted: 0, refused: 0 };
    const lost: string[] = [];
    for (let race = 0; race < 60; race += 1) {
      const upload = await storeFile(house, 'source');
      await throwAway(house, [upload]);
      const sweeping = sleep(Math.max(0, (race % 12) - 6)).then(() => sweepTrash(house.app));
      await sleep(Math.max(0, 6 - (race % 12)));
      const accepted = await house.submit([{ source: { upload } }]).then(
        () => true,
        () => false,
      );
      await sweeping;
      outcomes[accepted ? 'accepted' : 'refused'] += 1;
      if (accepted && !(await isStored(house, upload))) lost.push(upload);
    }
    expect(lost).toEqual([]);
    expect(outcomes.accepted).toBeGreaterThan(0);
    console.log(`new batch against sweep: ${JSON.stringify(outcomes)}, 0 lost`);
  });
});
