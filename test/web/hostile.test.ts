// Strings that attack pages, through every field that a stranger can fill: each is shown as the text that it is.

import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { readFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { openBrowser } from '../support/browser.ts';
import { corpusFile, corpusLines, hasCorpora } from '../support/corpora.ts';
import { buildPage, dropFiles, openPage, type Watched } from '../support/page.ts';
import { openServed, type Served } from '../support/served.ts';

const chromium = inject('chromium');

/** A dozen of our own, and from the corpora as many as a table shows well. */
const own = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(2)>',
  `'-alert(3)-'`,
  'javascript:alert(4)',
  '{{constructor.constructor("alert(5)")()}}',
  '${alert(6)}',
  '<svg/onload=alert(7)>',
  '</textarea><iframe srcdoc="<script>alert(8)</script>">',
  'data:text/html,<script>alert(9)</script>',
  '{@html "<b>bold</b>"}',
  '\u202Egnp.exe',
  'Ω≈ç√∫˜µ≤≥÷ 田中さん 👩‍👩‍👧',
];

const some = (path: string, every: number): string[] =>
  corpusLines(path).filter((line, index) => index % every === 0 && line.length < 250);

const naughty = (): string[] =>
  hasCorpora ? (JSON.parse(readFileSync(corpusFile('strings/blns/blns.json'), 'utf8')) as string[]) : [];

describe.skipIf(chromium === '')('a string that attacks', { timeout: 180_000 }, () => {
  let served: Served;
  let browser: Browser;
  let watched: Watched;
  let page: Page;

  beforeAll(async () => {
    await buildPage();
    served = await openServed('pglite');
    browser = await openBrowser(chromium);
    watched = await openPage(browser, served.url);
    ({ page } = watched);
  });
  afterAll(async () => {
    await browser?.close();
    await served?.[Symbol.asyncDispose]();
  });

  const visible = async (path: string) => {
    await page.goto(path);
    await page.locator('h1:not(.sr-only)').first().waitFor();
    await expect.poll(() => page.locator('.skeleton').count(), { timeout: 60_000 }).toBe(0);
  };
  /** Only our own scripts, no frame, and no element that a string has made. */
  const untouched = async (): Promise<string[]> => {
    const strange = `[...document.querySelectorAll('iframe, object, embed, base, body script, [onerror], [onload], a[href^="javascript:" i], a[href^="data:" i]')].map((each) => each.outerHTML)`;
    return [...(await page.evaluate<string[]>(strange)), ...watched.faults];
  };

  test('is text in names, references, products and URLs of a batch', async () => {
    const strings = [...own, ...some('strings/fuzzdb-attack/attack_xss_xss-rsnake.txt', 4)];
    const images = strings.map((text) => ({
      source: { url: `https://127.0.0.1:1/${encodeURIComponent(text.toWellFormed())}` },
      ref: text,
      product: { serial_number: text, name: text },
    }));
    // A port that is never allowed refuses the list, so the sources point to the shop, which has none of them.
    const shop = images.map((image) => ({
      ...image,
      source: { url: image.source.url.replace('https://127.0.0.1:1', `http://${served.pictures.host}`) },
    }));
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ images: shop, name: own.slice(0, 3).join(' ') });
    const { json: batch } = await served.ask('/v1/batches?wait=60', { method: 'POST', headers, body });
    await visible(`/batches/${batch.id}`);
    await page.getByRole('link', { name: own[0] ?? '', exact: true }).waitFor();
    await page.locator('[data-scroller]').press('End');
    expect(await untouched()).toEqual([]);
    const { items } = (await served.ask(`/v1/batches/${batch.id}/images?limit=500`)).json as {
      items: { id: string }[];
    };
    for (const { id } of items.slice(0, own.length)) {
      await visible(`/images/${id}`);
      expect(await untouched()).toEqual([]);
    }
    for (const path of ['/', '/batches', '/admin']) {
      await visible(path);
      expect(await untouched()).toEqual([]);
    }
  });

  test('is text as the name of a dropped file, in a catalog, and in what was wrong with it', async () => {
    const names = [...own.filter((text) => !text.includes('/')), ...naughty().filter((_, index) => index % 25 === 0)];
    await page.goto('/');
    await dropFiles(
      page,
      names.slice(0, 20).map((name) => ({ name: `${name}.png`, type: 'image/png', body: Buffer.from('no picture') })),
    );
    const cells = own.map((text, row) => [String(row), text, text].map((cell) => `"${cell.replaceAll('"', '""')}"`));
    const csv = `S. No.,Product Name,Input Image Urls\n${cells.map((each) => each.join()).join('\n')}\n`;
    await dropFiles(page, [{ name: '<b>bold</b>.csv', type: 'text/csv', body: Buffer.from(csv) }]);
    await page.getByText(/problems?, .* rows? will fail/).click();
    expect(await untouched()).toEqual([]);
    await page.getByRole('button', { name: 'Show as code' }).click();
    expect(await untouched()).toEqual([]);
    await page.keyboard.press('Escape');
    await page.goto('/admin?tab=images');
    await page.locator('h1').first().waitFor();
    expect(await untouched()).toEqual([]);
  });

  test('is text in what somebody searches for and where somebody looks', async () => {
    const samples = own.slice(0, 4);
    for (const text of samples) {
      await visible(`/batches?q=${encodeURIComponent(text)}`);
      await expect.poll(() => page.getByRole('searchbox').inputValue(), { timeout: 60_000 }).toBe(text);
      await visible(`/batches/${encodeURIComponent(text)}`);
      await visible(`/help/errors#${encodeURIComponent(text)}`);
      expect(await untouched()).toEqual([]);
    }
  });
});
