import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { photo, sharpOf } from './support/pictures-made.ts';
import * as hostile from './support/pictures-hostile.ts';
import { hostileFiles, marker } from './support/pictures-hostile-set.ts';
import { openStudio } from './support/pictures-sandbox.ts';

let studio: Awaited<ReturnType<typeof openStudio>>;
beforeAll(async () => {
  studio = await openStudio();
});
afterAll(() => studio.sandbox.close());

describe('hostile files', async () => {
  test.each(await hostileFiles())('$what: $code', { timeout: 60_000 }, async ({ code, make }) => {
    expect(code.split(' ')).toContain(await studio.codeOf(make(), 'fit:200x200'));
  });

  test('of a polyglot no result holds the marker, kept or coded anew', async () => {
    const jpeg = await sharpOf(photo(120, 80)).jpeg().toBuffer();
    for (const source of [hostile.withSegments(jpeg, 1, marker), Buffer.concat([jpeg, Buffer.from(marker)])])
      for (const pipeline of [[], 'compress:95', 'fit:50x50'])
        expect((await studio.render(source, pipeline)).body.includes(marker)).toBe(false);
  });

  test('one child answered most of them', () => {
    expect(studio.sandbox.children()[0]?.done).toBeGreaterThan(3);
  });
});
