// What people come for: drop photos, run a catalog, repair what failed, compare, and trust the page through a restart.

import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'csv-parse/sync';
import type { Browser, Page } from 'playwright-core';
import { openBrowser } from '../support/browser.ts';
import { buildPage, dropFiles, openPage, pasteText, type Watched } from '../support/page.ts';
import { seedDataDir } from '../support/databases.ts';
import { freePort, startProduct } from '../support/product.ts';
import { openServed, type Served } from '../support/served.ts';

const chromium = inject('chromium');
const patient = { timeout: 60_000 };

describe.skipIf(chromium === '')('on the page', { timeout: 180_000 }, () => {
  let served: Served;
  let browser: Browser;
  let watched: Watched;
  let page: Page;
  let shop: Shop;

  beforeAll(async () => {
    await buildPage();
    shop = await openShop();
    served = await openServed('pglite', { allow: [shop.host] });
    browser = await openBrowser(chromium);
    watched = await openPage(browser, served.url, { acceptDownloads: true });
    ({ page } = watched);
  });
  afterAll(async () => {
    await browser?.close();
    await served?.[Symbol.asyncDispose]();
    shop?.close();
  });

  const sample = async (name: string) =>
    Buffer.from(await (await fetch(`${served.url}/static/samples/${name}`)).arrayBuffer());

  test('two dropped photos finish by themselves and say how much smaller they became', async () => {
    await page.goto('/');
    await page.getByRole('heading', { level: 1 }).waitFor();
    const [lake, sea] = [await sample('05.jpg'), await sample('06.webp')];
    await dropFiles(page, [
      { name: 'lake.jpg', type: 'image/jpeg', body: lake },
      { name: 'sea.webp', type: 'image/webp', body: sea },
    ]);
    for (const [name, before] of [
      ['lake.jpg', lake.length],
      ['sea.webp', sea.length],
    ] as const) {
      const line = page.getByRole('region', { name: 'Added' }).getByRole('listitem').filter({ hasText: name });
      await line.getByText(/^−\d+ %$/).waitFor();
      const file = await line.getByRole('link', { name: 'Download' }).getAttribute('href');
      const result = await fetch(served.url + file);
      expect(result.status).toBe(200);
      expect((await result.arrayBuffer()).byteLength).toBeLessThan(before);
    }
    expect(watched.faults).toEqual([]);
  });

  test('the shown curl makes the same batch again', async () => {
    await page.getByRole('button', { name: 'Show as code' }).click();
    const command = (await page.locator('[data-code]').textContent()) ?? '';
    await page.keyboard.press('Escape');
    const cwd = await mkdtemp(join(tmpdir(), 'darkroom-curl-'));
    await writeFile(join(cwd, 'lake.jpg'), await sample('05.jpg'));
    await writeFile(join(cwd, 'sea.webp'), await sample('06.webp'));
    const { stdout } = await promisify(execFile)('sh', ['-c', command.replace('curl ', 'curl -s ')], { cwd });
    await rm(cwd, { recursive: true });
    const again = JSON.parse(stdout) as { id: string };
    const [, first] = (await served.ask('/v1/batches')).json.items as { id: string; renditions: object }[];
    expect(again).toMatchObject({ counts: { total: 2 }, renditions: first?.renditions ?? '' });
  });

  test('a pasted URL and a catalog with a bad line are looked through before anything starts', async () => {
    await page.goto('/');
    await page.getByLabel('Start as soon as images are added').uncheck();
    await page.getByLabel('Image URL').fill('no url');
    await page.getByRole('button', { name: 'Add URL' }).click();
    await page.getByText('This is not an http or https URL.').waitFor();
    await page.getByRole('heading', { level: 1 }).click();
    await pasteText(page, `http://${shop.host}/pasted.jpg`);
    await page.getByRole('button', { name: `Remove http://${shop.host}/pasted.jpg` }).click();
    const rows = `1,Cup,http://${shop.host}/cup.jpg\n2,Lid,htp://broken\n`;
    await dropFiles(page, [
      { name: 'shop.csv', type: 'text/csv', body: Buffer.from(`S. No.,Product Name,Input Image Urls\n${rows}`) },
    ]);
    await page.getByText('2 rows, 2 images').waitFor();
    await page.getByText('1 problem, its row will fail').click();
    await page.getByText(/line 3:.*htp:\/\/broken/).waitFor();
    await page.getByRole('button', { name: 'Show as code' }).click();
    await page.getByText(`--form-string 'pipeline=compress:50'`).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Start the catalog' }).click();
    await page.getByRole('link', { name: 'Open batch' }).click();
    await page.getByRole('heading', { level: 1, name: 'shop.csv' }).waitFor();
    expect(watched.faults).toEqual([]);
  });

  test('a failure group says why and runs again', async () => {
    // The page of the catalog above: one row is no URL, and the shop has no cup yet.
    const group = page.getByRole('listitem').filter({ hasText: 'not_found' });
    await group.getByText(shop.host).waitFor();
    shop.open();
    await group.getByRole('button', { name: /^Retry/ }).click();
    await page.getByText('1 image runs again.').waitFor();
    await group.waitFor({ state: 'detached' });
    await page.getByRole('row').filter({ hasText: 'Cup' }).getByText('done').waitFor();
    expect(watched.faults).toEqual([]);
  });

  test('the sample catalog runs to its end, and its CSV holds a result beside every input', async () => {
    await page.goto('/');
    await page.getByRole('button', { name: 'Try the sample catalog' }).click();
    await page.getByRole('heading', { level: 1, name: 'Sample catalog' }).waitFor();
    await page.getByText('done, some failed').first().waitFor();
    const coming = page.waitForEvent('download');
    await page.getByRole('link', { name: 'Download CSV' }).click();
    const csv = readFileSync(await (await coming).path(), 'utf8');
    const [header, ...lines] = parse(csv, { bom: true });
    const outputs = lines.map((line) => (line[header?.indexOf('Output Image Urls') ?? -1] ?? '').split(','));
    expect(lines).toHaveLength(12);
    expect(outputs.flat().filter((url) => url.trim() !== '')).toHaveLength(11);
    const [first = ''] = outputs[0] ?? [];
    expect((await served.ask(new URL(first).pathname)).status).toBe(200);
  });

  test('before and after are compared by mouse and by keyboard', async () => {
    await page.getByRole('link', { name: 'Mountain lake, photograph' }).click();
    await page.getByRole('heading', { level: 1, name: /Mountain lake/ }).waitFor();
    const slider = page.getByRole('slider');
    const before = page.locator('figure img').nth(1);
    await slider.waitFor();
    await before.evaluate((image) => (image as unknown as { decode(): Promise<void> }).decode());
    const box = (await slider.boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
    await page.mouse.click(box.x + box.width * 0.8, box.y + box.height / 2);
    expect(Number(await slider.inputValue())).toBeGreaterThan(70);
    await slider.press('ArrowLeft');
    const shown = Number(await slider.inputValue());
    expect(await before.getAttribute('style')).toContain(`inset(0px ${100 - shown}% 0px 0px)`);
    for (const [key, value] of Object.entries({ 0: '100', 1: '50', 2: '0' })) {
      await page.keyboard.press(key);
      await expect.poll(() => slider.inputValue(), patient).toBe(value);
    }
    await page.keyboard.press('z');
    await page.getByRole('group', { name: 'Single pixels' }).waitFor();
    expect(watched.faults).toEqual([]);
  });

  test('a restart in the middle shows a banner, and then the end without a reload', async () => {
    // A process of its own: only then is there a time between its end and its next beginning that nobody has to hit.
    const dataDir = await mkdtemp(join(tmpdir(), 'darkroom-restart-'));
    await seedDataDir(dataDir);
    const env = { DARKROOM_ALLOW_HOSTS: served.pictures.host, DARKROOM_DRAIN: '1s', DARKROOM_DISK_FLOOR: '1mb' };
    const options = { dataDir, port: await freePort(), args: ['serve'], env };
    const before = await startProduct(options);
    const other = await openPage(browser, before.url);
    const release = served.pictures.hold();
    const images = Array.from({ length: 4 }, (_, n) => ({
      source: { url: `http://${served.pictures.host}/a.jpg?${n}` },
    }));
    const id = await submit(before.url, { images, name: 'Through the night' });
    await other.page.goto(`/batches/${id}`);
    await other.page.getByText('0 of 4').waitFor();
    await other.page.evaluate('window.sameDocument = true');
    await before.end('SIGTERM');
    await other.page.getByText('What you see is the last that was known').waitFor();
    const cancel = other.page.getByRole('button', { name: 'Cancel', exact: true });
    await expect.poll(() => cancel.isDisabled(), patient).toBe(true);
    release();
    const after = await startProduct(options);
    await other.page.getByText('4 of 4').waitFor();
    await other.page.getByText('What you see is the last that was known').waitFor({ state: 'detached' });
    expect(await other.page.evaluate('window.sameDocument')).toBe(true);
    await other.close();
    await after.end('SIGKILL');
    await rm(dataDir, { recursive: true });
  });

  test('keys of the keyboard go everywhere, and stay silent where somebody writes', async () => {
    await page.goto('/');
    await page.getByRole('link', { name: /Sample catalog/ }).waitFor();
    await page.keyboard.press('g');
    await page.keyboard.press('b');
    await page.getByRole('heading', { level: 1, name: 'Batches' }).waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('ub?');
    expect(await page.getByRole('searchbox').inputValue()).toBe('ub?');
    await page.getByRole('searchbox').fill('sample');
    await expect.poll(() => page.getByRole('row').count(), patient).toBe(2);
    expect(page.url()).toContain('q=sample');
    await page.getByRole('searchbox').blur();
    await page.keyboard.press('j');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: 'Sample catalog' }).waitFor();
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keyboard' }).waitFor();
    expect(watched.faults).toEqual([]);
  });
});

async function submit(url: string, body: object): Promise<string> {
  const headers = { 'content-type': 'application/json' };
  const reply = await fetch(`${url}/v1/batches`, { method: 'POST', headers, body: JSON.stringify(body) });
  return ((await reply.json()) as { id: string }).id;
}

type Shop = { host: string; open(): void; close(): void };

/** A host that has none of its pictures until it is opened. */
async function openShop(): Promise<Shop> {
  const drawn = Buffer.concat([Buffer.from('P6\n64 48\n255\n'), Buffer.alloc(64 * 48 * 3, 'colours ')]);
  let isOpen = false;
  const server: Server = createServer((_request, response) => {
    response.writeHead(isOpen ? 200 : 404).end(isOpen ? drawn : undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    open: () => (isOpen = true),
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
