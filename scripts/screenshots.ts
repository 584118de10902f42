// screenshots.ts — pictures of every page, light, dark and on a phone, into .cache/screenshots: `npm run screenshots`.
//
// The product is started on a fresh folder and works through the sample catalog first, so that the pictures show it in use.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { findChromium, openBrowser } from '../test/support/browser.ts';
import { dropFiles } from '../test/support/page.ts';
import { freePort, startProduct } from '../test/support/product.ts';

const folder = join(import.meta.dirname, '../.cache/screenshots');
const looks = [
  { name: 'light', colorScheme: 'light', viewport: { width: 1280, height: 900 } },
  { name: 'dark', colorScheme: 'dark', viewport: { width: 1280, height: 900 } },
  { name: 'phone', colorScheme: 'light', viewport: { width: 360, height: 740 } },
  { name: 'phone-dark', colorScheme: 'dark', viewport: { width: 360, height: 740 } },
] as const;

type Shot = { name: string; path: string; act?: (page: Page) => Promise<unknown> };

if (import.meta.main) {
  const executable = findChromium();
  if (executable === undefined) throw new Error('There is no Chromium: install it, or set DARKROOM_TEST_CHROMIUM.');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const dataDir = mkdtempSync(join(tmpdir(), 'darkroom-screenshots-'));
  const product = await startProduct({ dataDir, port: await freePort(), args: ['serve'] });
  const shots = await shotsOf(product.url);
  const browser = await openBrowser(executable);
  const only = process.argv[2];
  for (const look of looks)
    await shoot(
      browser,
      product.url,
      look,
      shots.filter(({ name }) => only === undefined || name.includes(only)),
    );
  await browser.close();
  await product.end('SIGKILL');
  rmSync(dataDir, { recursive: true, force: true });
  console.log(`${shots.length * looks.length} pictures in ${folder}`);
}

async function shoot(browser: Browser, url: string, look: (typeof looks)[number], shots: Shot[]): Promise<void> {
  const { name, ...options } = look;
  const page = await browser.newPage({ ...options, deviceScaleFactor: 1, reducedMotion: 'reduce' });
  for (const shot of shots) {
    await page.goto(url + shot.path);
    await page.waitForLoadState('load');
    await page.locator('h1:not(.sr-only)').first().waitFor();
    // Streams never end, so there is no idle network to wait for: two quiet moments let the lists arrive.
    await page.waitForTimeout(500);
    await shot.act?.(page);
    // A header that stays would stand in the middle of the picture.
    await page.evaluate('scrollTo(0, 0)');
    await page.screenshot({ path: join(folder, `${shot.name}-${name}.png`), fullPage: !shot.name.endsWith('-dialog') });
  }
  await page.close();
}

type Listed = { items: { id: string; state: string; product: { name: string } | null }[] };

async function shotsOf(url: string): Promise<Shot[]> {
  const batch = await submit(url, { sample: true });
  await submit(url, { images: [{ source: { url: `${url}/static/samples/01.jpg` } }], name: 'One picture' });
  const running = await submitMany(url);
  const { items } = (await (await fetch(`${url}/v1/batches/${batch}/images`)).json()) as Listed;
  const lake = items.find(({ product }) => product?.name.startsWith('Mountain'))?.id ?? '';
  const failed = items.find(({ state }) => state === 'failed')?.id ?? '';
  await fetch(`${url}/api/upload`, { method: 'POST', body: await photoForm(url) });
  const type = async (page: Page) => page.getByRole('radio', { name: 'Pipeline' }).check();
  return [
    { name: 'upload', path: '/' },
    { name: 'upload-list', path: '/', act: (page) => dropSamples(page, url) },
    { name: 'upload-pipeline', path: '/', act: type },
    {
      name: 'upload-code-dialog',
      path: '/',
      act: (page) => page.getByRole('button', { name: 'Show as code' }).click(),
    },
    { name: 'batches', path: '/batches' },
    { name: 'batch', path: `/batches/${batch}` },
    { name: 'batch-running', path: `/batches/${running}` },
    { name: 'image', path: `/images/${lake}` },
    { name: 'image-failed', path: `/images/${failed}` },
    { name: 'admin', path: '/admin' },
    { name: 'admin-images', path: '/admin?tab=images' },
    { name: 'admin-webhooks', path: '/admin?tab=webhooks' },
    { name: 'admin-keys', path: '/admin?tab=keys' },
    { name: 'help', path: '/help' },
    { name: 'help-errors', path: '/help/errors' },
    { name: 'help-operations', path: '/help/operations' },
    { name: 'not-found', path: '/images/0199' },
  ];
}

async function submit(url: string, body: object, wait = 60): Promise<string> {
  const answer = await fetch(`${url}/v1/batches?wait=${wait}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return ((await answer.json()) as { id: string }).id;
}

/** Enough to be still on its way when all pictures are taken. */
async function submitMany(url: string): Promise<string> {
  const images = Array.from({ length: 2000 }, (_, n) => ({
    source: { url: `${url}/static/samples/${String((n % 13) + 1).padStart(2, '0')}.jpg?${n}` },
    product: { serial_number: String(n + 1), name: `Product ${n + 1}` },
  }));
  return submit(url, { images, name: 'catalog-2026.csv' }, 0);
}

async function dropSamples(page: Page, url: string): Promise<void> {
  const taken = ['05.jpg', '06.webp', '07.png'].map(async (name) => {
    const picture = await fetch(`${url}/static/samples/${name}`);
    return { name, type: 'image/*', body: Buffer.from(await picture.arrayBuffer()) };
  });
  const csv = 'S. No.,Product Name,Input Image Urls\n1,Cup,https://cdn.example.com/1.jpg\n2,Lid,htp://broken\n';
  await dropFiles(page, [
    ...(await Promise.all(taken)),
    { name: 'shop.csv', type: 'text/csv', body: Buffer.from(csv) },
  ]);
  await page.getByText('1 problem, its row will fail').click();
  await page.getByRole('link', { name: 'Download' }).nth(2).waitFor();
}

async function photoForm(url: string): Promise<FormData> {
  const form = new FormData();
  form.append('image', await (await fetch(`${url}/static/samples/06.webp`)).blob(), 'evening.webp');
  return form;
}
