// page.ts — the page in a real Chromium on a started service; whatever a browser complains about is a fault.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { build } from 'vite';

export type Watched = {
  page: Page;
  /** Errors of scripts and console, reports of the content policy, dialogs, requests to other hosts. */
  faults: string[];
  close(): Promise<void>;
};

const web = join(import.meta.dirname, '../../web');

/** `npm test` has built the page; a single test file run by hand may be the first to need it. */
export async function buildPage(): Promise<void> {
  if (!existsSync(join(web, 'dist/index.html')))
    await build({ root: web, configFile: join(web, 'vite.config.ts'), logLevel: 'error' });
}

/** A page at `url`. Statuses of the API are no faults: the page shows them. */
export async function openPage(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Watched> {
  const context = await browser.newContext({
    baseURL: url,
    viewport: { width: 1280, height: 800 },
    reducedMotion: 'reduce',
    ...options,
  });
  const page = await context.newPage();
  const faults: string[] = [];
  // Generous: a machine that runs all other tests at the same time is slow, and not wrong.
  page.setDefaultTimeout(60_000);
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`));
  page.on('console', (message) => {
    const isStatus = message.text().startsWith('Failed to load resource');
    if (message.type() === 'error' && !isStatus) faults.push(`console: ${message.text()}`);
    if (/content.security.policy/i.test(message.text())) faults.push(`policy: ${message.text()}`);
  });
  page.on('dialog', (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('request', (request) => {
    const { protocol, host } = new URL(request.url());
    const isOurs = host === new URL(url).host || protocol === 'data:' || protocol === 'blob:';
    if (!isOurs) faults.push(`foreign: ${request.url()}`);
  });
  return { page, faults, close: () => context.close() };
}

/** What a drop of these files on the page does. */
export async function dropFiles(page: Page, files: { name: string; type: string; body: Buffer }[]): Promise<void> {
  const sent = files.map(({ body, ...file }) => ({ ...file, base64: body.toString('base64') }));
  // Runs in the browser, whose names this project's types do not know.
  const transfer = await page.evaluateHandle(`(() => {
    const data = new DataTransfer();
    for (const { name, type, base64 } of ${JSON.stringify(sent)}) {
      const bytes = Uint8Array.from(atob(base64), (each) => each.charCodeAt(0));
      data.items.add(new File([bytes], name, { type }));
    }
    return data;
  })()`);
  await page.dispatchEvent('body', 'drop', { dataTransfer: transfer });
}

/** What pasting this text beside all fields does. */
export async function pasteText(page: Page, text: string): Promise<void> {
  await page.evaluate(`(() => {
    const clipboardData = new DataTransfer();
    clipboardData.setData('text/plain', ${JSON.stringify(text)});
    document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true }));
  })()`);
}
