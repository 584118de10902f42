// The short form of `npm run sweep`: every sixth foreign picture, and every hostile one that the tests make.

import { expect, test } from 'vitest';
import { hasImages, sweep } from './support/sweep.ts';

if (!hasImages && process.env.CI) throw new Error('../shared/corpora/images is absent: its sweep cannot run');
if (!hasImages) console.warn('SKIPPED: the sweep of ../shared/corpora/images, because that folder is absent.');

test('every foreign and hostile picture ends with a result or a code', { timeout: 300_000 }, async () => {
  const { faults, files } = await sweep({ every: 6 });
  expect(faults).toEqual([]);
  expect(files.length).toBeGreaterThan(hasImages ? 400 : 30);
});
