// browser.ts — a real Chromium for tests of the page and for its pictures.

import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium, type Browser } from 'playwright-core';

/** Where a Chromium is: DARKROOM_TEST_CHROMIUM, else the first of its names on PATH. */
export function findChromium(): string | undefined {
  const given = process.env.DARKROOM_TEST_CHROMIUM;
  if (given) return given;
  const folders = (process.env.PATH ?? '').split(delimiter);
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(existsSync);
}

/** Root may not use Chromium's own sandbox, and containers have little shared memory. */
export async function openBrowser(executablePath: string): Promise<Browser> {
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
}
