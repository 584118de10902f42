// A batch of 100,000 images: only what is in view exists, every row can be reached, filters and search find theirs.

import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { sql } from 'kysely';
import type { Browser, Page } from 'playwright-core';
import { openBrowser } from '../support/browser.ts';
import { buildPage, openPage, type Watched } from '../support/page.ts';
import { openServed, type Served } from '../support/served.ts';

const chromium = inject('chromium');
const batchId = '0199aaaa-0000-7000-8000-000000000001';
const rows = 100_000;

describe.skipIf(chromium === '')('a batch of 100,000 images', { timeout: 180_000 }, () => {
  let served: Served;
  let browser: Browser;
  let watched: Watched;
  let page: Page;

  beforeAll(async () => {
    await buildPage();
    served = await openServed('pglite', { work: false });
    await insertRows(served);
    browser = await openBrowser(chromium);
    watched = await openPage(browser, served.url);
    ({ page } = watched);
  }, 180_000);
  afterAll(async () => {
    await browser?.close();
    await served?.[Symbol.asyncDispose]();
  });

  const inView = () => page.locator('[data-scroller] [role=row]');

  test('shows its first rows, and no more of them than a screen holds', async () => {
    const began = performance.now();
    await page.goto(`/batches/${batchId}`);
    await page.getByRole('link', { name: 'Product 1', exact: true }).waitFor();
    console.log(`first rows after ${Math.round(performance.now() - began)} ms`);
    expect(await page.getByRole('table', { name: 'Images' }).getAttribute('aria-rowcount')).toBe(String(rows + 1));
    expect(await inView().count()).toBeLessThanOrEqual(60);
    await page.getByText('100,000 of 100,000').waitFor();
  });

  test('scrolls to any place, the last one included', async () => {
    const scroller = page.locator('[data-scroller]');
    for (const share of [0.3, 0.7, 1]) {
      await scroller.evaluate((box, at) => void ((box as unknown as Scrolling).scrollTop = at), share * rows * 52);
      const near = Math.min(rows, Math.round(share * rows) + 5);
      await page.getByRole('link', { name: `Product ${near}`, exact: true }).waitFor();
    }
    await page.getByRole('link', { name: `Product ${rows}`, exact: true }).waitFor();
    expect(await inView().count()).toBeLessThanOrEqual(60);
    await scroller.press('Home');
    await page.getByRole('link', { name: 'Product 1', exact: true }).waitFor();
  });

  test('finds the failed ones, and one by its name', async () => {
    await page.getByRole('button', { name: /^Failed/ }).click();
    await page.getByRole('link', { name: 'Product 500', exact: true }).waitFor();
    expect(await page.getByText('failed: not_found').count()).toBeGreaterThan(3);
    expect(await page.getByRole('link', { name: 'Product 1', exact: true }).count()).toBe(0);
    await page.getByRole('button', { name: /^All/ }).click();
    await page.getByRole('searchbox').fill('Product 77777');
    await expect.poll(() => inView().count(), { timeout: 60_000 }).toBe(1);
    await page.getByRole('link', { name: 'Product 77777', exact: true }).waitFor();
    expect(watched.faults).toEqual([]);
  });
});

type Scrolling = { scrollTop: number };

/** Every 500th has failed; a product each. Triggers and foreign keys look away, or the rows would take half a minute. */
async function insertRows({ app: { db } }: Served): Promise<void> {
  const failed = rows / 500;
  await db.query.transaction().execute(async (tx) => {
    await sql`set local session_replication_role = replica`.execute(tx);
    await sql`
      insert into batches (id, surface, name, state, lane, renditions, total, succeeded, failed, bytes_in, bytes_out, started_at, finished_at)
      values (${batchId}, 'native', 'catalog-2026.csv', 'partially_succeeded', 1, '[]', ${rows}::int, ${rows - failed}::int,
        ${failed}::int, 96000000000, 44000000000, now() - interval '9 minutes', now())`.execute(tx);
    await sql`
      insert into products (batch_id, line, serial, name)
      select ${batchId}::uuid, n + 1, n::text, 'Product ' || n from generate_series(1, ${rows}::int) n`.execute(tx);
    await sql`
      insert into images (id, batch_id, position, line, lane, turn, state, attempts, source_url, source_bytes, finished_at,
        error_code, error_host, error_status)
      select ('0199aaaa-0001-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, ${batchId}::uuid, n, n + 1, 1, n,
        case when n % 500 = 0 then 'failed' else 'succeeded' end, 1, 'https://cdn.example.com/pictures/' || n || '.jpg',
        967680, now(), case when n % 500 = 0 then 'not_found' end, case when n % 500 = 0 then 'cdn.example.com' end,
        case when n % 500 = 0 then 404 end
      from generate_series(1, ${rows}::int) n`.execute(tx);
  });
}
