// Images are found over all batches, in windows: a rare one behind many others, and each owner only its own.

import { expect, test } from 'vitest';
import { findImages, matchingIds, type ImageSearch } from '../src/batches/find-images.ts';
import { newId } from '../src/batches/ids.ts';
import { onEachDatabase } from './support/databases.ts';
import { ended, failure, imagesOf, openHouse, success, type House } from './support/house.ts';

/** All pages of a search. */
async function pagesOf(house: House, search: ImageSearch, limit: number): Promise<string[][]> {
  const pages: string[][] = [];
  for (let before: string | undefined; ;) {
    const { images, next } = await findImages(house.app, search, { before, limit });
    pages.push(images.map(({ id }) => id));
    if (next === null) return pages;
    before = next;
  }
}

onEachDatabase((engine) => {
  test('a rare image is found behind thousands of others, and the list of all has no gap', async () => {
    await using house = await openHouse(engine);
    const rare = await house.submit([{ source: { url: 'https://a.example/rare.jpg' }, ref: 'rare' }]);
    for (let n = 0; n < 3; n += 1) await house.submit(imagesOf(900));
    const [image] = await house.images(rare.id);
    const found = await pagesOf(house, { ref: 'rare' }, 50);
    expect(found.flat()).toEqual([image!.id]);
    const all = (await pagesOf(house, {}, 400)).flat();
    expect(all).toHaveLength(2_701);
    expect(all).toEqual(all.toSorted().toReversed());
    expect(await matchingIds(house.app, { ref: 'rare' }, 10)).toEqual([image!.id]);
    expect(await matchingIds(house.app, {}, 1_000)).toHaveLength(1_001);
  });

  test('what failed is found by its index, however the others ended', async () => {
    await using house = await openHouse(engine);
    const worker = newId();
    const { id } = await house.submitMany(3);
    const items = await house.claimAs(worker);
    const outcome = [failure('not_found'), success(), success()];
    await house.settleAs(
      worker,
      items.map((item, index) => ended(item, outcome[index]!)),
    );
    const failed = (await house.images(id)).find(({ state }) => state === 'failed');
    expect(await pagesOf(house, { state: 'failed' }, 10)).toEqual([[failed!.id]]);
    expect((await pagesOf(house, { state: 'failed', code: 'timeout' }, 10)).flat()).toEqual([]);
    expect((await pagesOf(house, { state: 'succeeded' }, 10)).flat()).toHaveLength(2);
  });

  test('an owner finds the own images alone, few or many', async () => {
    await using house = await openHouse(engine);
    const mine = await house.submit(imagesOf(3), { owner: 'few' });
    await house.submit(imagesOf(1_200), { owner: 'many' });
    const own = (await house.images(mine.id)).map(({ id }) => id).toReversed();
    expect((await pagesOf(house, { owner: 'few' }, 2)).flat()).toEqual(own);
    expect((await pagesOf(house, { owner: 'many' }, 500)).flat()).toHaveLength(1_200);
    expect((await pagesOf(house, { owner: 'nobody' }, 10)).flat()).toEqual([]);
    expect((await pagesOf(house, {}, 500)).flat()).toHaveLength(1_203);
  });
});
