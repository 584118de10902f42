// How every page looks and weighs: no accessibility fault in any light or width, nothing cut off, nothing foreign, little to load.

import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { AxeBuilder } from '@axe-core/playwright';
import type { Browser, Page } from 'playwright-core';
import { openBrowser } from '../support/browser.ts';
import { buildPage, openPage } from '../support/page.ts';
import { openServed, type Served } from '../support/served.ts';

const chromium = inject('chromium');
const dist = join(import.meta.dirname, '../../web/dist');

/** Resolves when the new colours are on the screen, those that pass slowly into others included. */
const painted = `Promise.all(document.getAnimations().filter((each) => each instanceof CSSTransition).map(({ finished }) => finished.catch(() => {})))
  .then(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))))`;
const watchShifts = `window.shifted = [];
  new PerformanceObserver((list) => {
    for (const { value, sources } of list.getEntries())
      window.shifted.push([value, ...sources.map(({ node }) => node?.nodeName + '.' + node?.className)]);
  }).observe({ type: 'layout-shift', buffered: true });`;
const widths = [1280, 360];

describe.skipIf(chromium === '')('every page', { timeout: 180_000 }, () => {
  let served: Served;
  let browser: Browser;
  let paths: string[];

  beforeAll(async () => {
    await buildPage();
    served = await openServed('pglite');
    browser = await openBrowser(chromium);
    paths = await pathsOf(served);
  });
  afterAll(async () => {
    await browser?.close();
    await served?.[Symbol.asyncDispose]();
  });

  test.each(widths)('is accessible, light and dark, and nowhere cut off at %i pixels', async (width) => {
    const viewport = { width, height: 800 };
    const { page, faults, close } = await openPage(browser, served.url, { viewport, colorScheme: 'light' });
    await page.addInitScript(watchShifts);
    for (const path of paths) {
      await page.emulateMedia({ colorScheme: 'light' });
      await page.goto(path);
      await shown(page);
      // Nothing has moved under the eyes of whoever reads.
      expect([path, await page.evaluate('window.shifted')]).toEqual([path, []]);
      const light = await axe(page).analyze();
      await page.emulateMedia({ colorScheme: 'dark' });
      await page.evaluate(painted);
      // Nothing but colours changes with the light.
      const dark = await axe(page).analyze();
      const found = [...light.violations, ...dark.violations].map(
        ({ id, nodes }) => `${path}: ${id} at ${nodes.map(({ target }) => target).join(', ')}`,
      );
      expect(found).toEqual([]);
      const overflow = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
      expect([path, await page.evaluate(overflow)]).toEqual([path, 0]);
    }
    expect(faults).toEqual([]);
    await close();
  });

  test('of the old ones leads to a new one, and no other path is a page', async () => {
    const to = async (path: string) => (await served.ask(path)).headers.get('location');
    expect(await to('/list')).toBe('/batches');
    expect([await to('/async-upload'), await to('/async-upload-batch')]).toEqual(['/', '/']);
    for (const path of ['/', '/batches', '/batches/x', '/images/x', '/admin', '/admin/', '/help', '/help/errors']) {
      const { status, headers } = await served.ask(path);
      expect([path, status, headers.get('content-type')]).toEqual([path, 200, 'text/html; charset=utf-8']);
      expect(headers.get('content-security-policy')).toContain("default-src 'self'");
    }
    for (const path of ['/upload', '/status/x', '/api/list', '/v1/nothing', '/assets/nothing.js', '/index.html'])
      expect((await served.ask(path)).headers.get('content-type')).not.toContain('html');
  });

  test('keeps its files for ever and is itself asked for each time', async () => {
    const index = await served.ask('/');
    expect(index.headers.get('cache-control')).toBe('no-cache');
    const [asset = ''] = /\/assets\/[\w.-]+\.js/.exec(index.text) ?? [];
    const script = await served.ask(asset, { headers: { 'accept-encoding': 'gzip' } });
    expect(script.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    expect(script.text).toBe(readFileSync(join(dist, asset), 'utf8'));
    const headers = { 'if-none-match': script.headers.get('etag') ?? '' };
    expect((await served.ask(asset, { headers })).status).toBe(304);
  });
});

test('the first load is at most 60 kB of script and 12 kB of style', async () => {
  await buildPage();
  const index = readFileSync(join(dist, 'index.html'), 'utf8');
  const files = [...index.matchAll(/(?:src|href)="(\/assets\/[^"]+\.(?:js|css))"/g)].map(([, path = '']) => path);
  const weight = (ending: string) =>
    files
      .filter((path) => path.endsWith(ending))
      .map((path) => gzipSync(readFileSync(join(dist, path))).length)
      .reduce((sum, bytes) => sum + bytes, 0);
  expect(files.length).toBeGreaterThan(1);
  expect(weight('.js')).toBeLessThanOrEqual(60 * 1024);
  expect(weight('.css')).toBeLessThanOrEqual(12 * 1024);
});

/** The page has no frames, for which axe would open another tab each time. */
const axe = (page: Page) => new AxeBuilder({ page }).options({ resultTypes: ['violations'] }).setLegacyMode(true);

/** The heading is there, and so is what comes after it: no part of the page says that it is still loading. */
async function shown(page: Page): Promise<void> {
  await page.locator('h1:not(.sr-only)').first().waitFor();
  await expect.poll(() => page.locator('.skeleton').count(), { timeout: 60_000 }).toBe(0);
}

type Listed = { id: string; state: string }[];

/** Every route, in use: a batch that ended with failures, an image that succeeded and one that failed. */
async function pathsOf(served: Served): Promise<string[]> {
  const headers = { 'content-type': 'application/json' };
  const images = ['a.jpg', 'missing.jpg'].map((name) => ({
    source: { url: `http://${served.pictures.host}/${name}` },
  }));
  const body = JSON.stringify({ images, name: 'Two pictures' });
  const { json: batch } = await served.ask('/v1/batches?wait=60', { method: 'POST', headers, body });
  const items = (await served.ask(`/v1/batches/${batch.id}/images`)).json.items as Listed;
  const imagePaths = items.map(({ id }) => `/images/${id}`);
  const form = {
    image: new File([Buffer.from(await (await fetch(`${served.url}/static/samples/11.png`)).arrayBuffer())], 'a.png'),
  };
  await served.ask('/api/upload', { form });
  const tabs = ['', '?tab=images', '?tab=webhooks', '?tab=keys'].map((tab) => `/admin${tab}`);
  const help = ['/help', '/help/errors', '/help/operations'];
  return ['/', '/batches', `/batches/${batch.id}`, ...imagePaths, ...tabs, ...help, '/batches/unknown'];
}
