// docs-pages.test.ts — /docs and /redoc in a real Chromium without any other host, and the way ReDoc comes here.

import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Fastify from 'fastify';
import type { Browser } from 'playwright-core';
import { bringRedoc, redocFolder } from '../scripts/redoc.mjs';
import { addDocsPages } from '../src/http/docs-pages.ts';
import { openBrowser } from './support/browser.ts';
import { makeClone } from './support/clone.ts';
import { openPage } from './support/page.ts';
import { openServed, type Served } from './support/served.ts';

const chromium = inject('chromium');
const folder = join(import.meta.dirname, '..', redocFolder);
const patient = { timeout: 30_000 };

describe.skipIf(chromium === '')('in a browser that reaches no other host', () => {
  let served: Served;
  let browser: Browser;
  beforeAll(async () => {
    // `npm test` has brought it; a single test file run by hand may be the first to need it.
    const npm = (args: string[], cwd: string) => promisify(execFile)('npm', args, { cwd });
    if (!existsSync(join(folder, 'redoc.standalone.js'))) await bringRedoc(folder, npm);
    served = await openServed('pglite');
    browser = await openBrowser(chromium);
  });
  afterAll(async () => {
    await browser?.close();
    await served?.[Symbol.asyncDispose]();
  });

  async function openDocs(path: string) {
    const watched = await openPage(browser, served.url);
    const { host } = new URL(served.url);
    await watched.page.route(
      ({ host: other, protocol }) => other !== host && protocol.startsWith('http'),
      (route) => route.abort(),
    );
    await watched.page.goto(path);
    return watched;
  }

  test('/docs shows every surface and tries an operation', async () => {
    const { page, faults, close } = await openDocs('/docs');
    for (const tag of ['native', 'uploads', 'image_process', 'catalog', 'images', 'tasks', 'health'])
      await page.locator(`#operations-tag-${tag}`).waitFor(patient);
    await page.locator('#operations-health-livez').click();
    await page.getByRole('button', { name: 'Execute' }).click();
    await page
      .locator('#operations-health-livez .live-responses-table .response-col_status')
      .getByText('200')
      .waitFor();
    expect(await page.locator('.live-responses-table').first().textContent()).toContain('"status": "ok"');
    expect(faults).toEqual([]);
    await close();
  });

  test('/redoc shows every surface, an operation with its problems, and no picture of another host', async () => {
    const { page, faults, close } = await openDocs('/redoc');
    await page.getByRole('heading', { level: 1, name: /^Darkroom/ }).waitFor(patient);
    for (const tag of ['native', 'uploads', 'image_process', 'catalog', 'images', 'tasks'])
      await page.locator(`[id="tag/${tag}"]`).waitFor({ state: 'attached' });
    const section = page.locator('[id="tag/tasks/operation/createTask"]');
    await section.scrollIntoViewIfNeeded();
    expect(await section.textContent()).toContain('Scale a picture');
    expect(await section.textContent()).toContain('invalid_request');
    expect(faults).toEqual([]);
    await close();
  });
});

describe('ReDoc', () => {
  test('is told to be missing in plain words where it could not be brought', async () => {
    const http = Fastify();
    await http.register((await import('@fastify/swagger')).default, { openapi: { openapi: '3.1.0' } });
    await addDocsPages(http, '/nowhere/redoc.standalone.js');
    const { statusCode, headers, body } = await http.inject('/redoc');
    expect([statusCode, headers['content-type']]).toEqual([503, 'text/html; charset=utf-8']);
    expect(body).toContain('<h1>ReDoc is not here</h1>');
    expect(body).toContain('node scripts/setup.mjs --web');
    expect((await http.inject('/redoc/redoc.standalone.js')).statusCode).toBe(404);
    await http.close();
  });

  test('is refused when its package is another one', async () => {
    const into = mkdtempSync(join(tmpdir(), 'darkroom-redoc-'));
    try {
      const npm = async (_args: string[], cwd: string) => writeFileSync(join(cwd, 'redoc-2.5.4.tgz'), 'something else');
      await expect(bringRedoc(join(into, 'redoc'), npm)).rejects.toThrow('is not what was expected');
      expect(existsSync(join(into, 'redoc'))).toBe(false);
    } finally {
      rmSync(into, { recursive: true, force: true });
    }
  });

  test('holds no setup up when it does not come, and is tried again', async () => {
    using clone = makeClone();
    clone.write('web/index.html', '');
    const tries = () => clone.npmCalls().filter(({ args }) => args.includes('redoc@2.5.4')).length;
    const { code, out } = await clone.setup(['--web']);
    expect(code).toBe(0);
    expect(out).toContain('✗ ReDoc did not come');
    expect((await clone.setup(['--web'])).code).toBe(0);
    expect(tries()).toBe(2);
  });
});
