// samples.test.ts — the first run works without any network and shows everything: results, a missing one, a broken one.

import { expect, test } from 'vitest';
import { openServed } from '../support/served.ts';

test('the sample catalog is fetched from this very server and ends partially succeeded', async () => {
  await using served = await openServed('pglite');
  expect((await served.ask('/static/samples/catalog.csv')).text).toContain('Input Image Urls');
  const sample = { method: 'POST', body: '{"sample":true}', headers: { 'content-type': 'application/json' } };
  const { json } = await served.ask('/v1/batches?wait=60', sample);
  expect(json).toMatchObject({
    name: 'Sample catalog',
    state: 'partially_succeeded',
    counts: { total: 13, failed: 2 },
  });
  const failures = await served.ask(`/v1/batches/${json.id}/failures`);
  const codes = failures.json.items.map(({ code }: { code: string }) => code);
  expect(codes.toSorted()).toEqual(['not_an_image', 'not_found']);
});
