// The operator's page: uploads found, retried and deleted; a webhook sent again; keys from the first one to the last.

import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Browser, Page } from 'playwright-core';
import { openBrowser } from '../support/browser.ts';
import { buildPage, openPage, type Watched } from '../support/page.ts';
import { openReceiver, type Receiver } from '../support/receiver.ts';
import { openServed, type Served } from '../support/served.ts';

const chromium = inject('chromium');
const patient = { timeout: 60_000 };

describe.skipIf(chromium === '')('an operator', { timeout: 180_000 }, () => {
  let served: Served;
  let receiver: Receiver;
  let browser: Browser;
  let watched: Watched;
  let page: Page;

  beforeAll(async () => {
    await buildPage();
    receiver = await openReceiver(() => ({ status: 200 }));
    served = await openServed('pglite', { allow: [receiver.host] });
    browser = await openBrowser(chromium);
    watched = await openPage(browser, served.url);
    ({ page } = watched);
  });
  afterAll(async () => {
    await browser?.close();
    await served?.[Symbol.asyncDispose]();
    await receiver?.[Symbol.asyncDispose]();
  });

  test('sees queues, workers and failures, and comes from a failure to its image', async () => {
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({
      images: [{ source: { url: `http://${served.pictures.host}/missing.jpg` } }],
      webhook_url: receiver.url,
      name: 'Fails',
    });
    await served.ask('/v1/batches?wait=60', { method: 'POST', headers, body });
    await page.goto('/admin');
    await page.getByRole('row').filter({ hasText: 'images' }).getByText('1', { exact: true }).waitFor();
    await page.getByRole('region', { name: 'Workers' }).getByText('0 / 2').waitFor();
    await page.getByRole('button', { name: /^Open: not_found/ }).click();
    await page.getByText('The host has no such picture.').waitFor();
    expect(await page.getByText('HTTP 404').count()).toBeGreaterThan(0);
  });

  test('finds an upload by name, opens, retries and deletes', async () => {
    const picture = await (await fetch(`${served.url}/static/samples/11.png`)).arrayBuffer();
    const files = { 'good one.png': Buffer.from(picture), 'bad one.png': Buffer.from('no picture at all') };
    for (const [name, bytes] of Object.entries(files))
      await served.ask('/api/async/upload', { form: { images: new File([bytes], name) } });
    await served.until('/api/list', ({ json }) =>
      json.every(({ status }: { status: string }) => status !== 'processing'),
    );
    await page.goto('/admin?tab=images');
    const line = (name: string) => page.getByRole('listitem').filter({ hasText: name });
    await line('good one.png').getByText('completed').waitFor();
    await line('bad one.png')
      .getByText(/^error/)
      .waitFor();
    await expect
      .poll(
        () =>
          line('good one.png')
            .locator('img')
            .evaluate((each) => (each as unknown as Picture).naturalWidth),
        patient,
      )
      .toBeGreaterThan(0);
    await page.getByRole('searchbox').fill('bad');
    await line('good one.png').waitFor({ state: 'detached' });
    await line('bad one.png')
      .getByRole('button', { name: /^Delete/ })
      .click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await page.getByText('No image fits.').waitFor();
    await page.getByRole('searchbox').fill('');
    await line('good one.png').waitFor();
    await page.getByRole('button', { name: 'Delete all' }).click();
    await page.getByRole('dialog', { name: 'Delete 1 image?' }).getByRole('button', { name: 'Delete' }).click();
    await page.getByText('No image was uploaded yet.').waitFor();
    expect((await served.ask('/api/list')).json).toEqual([]);
  });

  test('sends a webhook again and tries a receiver', async () => {
    await page.getByRole('tab', { name: 'Webhooks' }).click();
    await page.getByText('delivered').waitFor();
    await page.getByRole('button', { name: /^Resend/ }).click();
    await expect.poll(() => receiver.calls.length, patient).toBe(2);
    await page.getByRole('button', { name: 'Send a test' }).click();
    await page.getByText(/Answered 2\d\d after/).waitFor();
    expect(watched.faults).toEqual([]);
  });

  test('makes the first key, goes on with it, signs in by it and revokes another', async () => {
    await page.getByRole('tab', { name: 'Keys' }).click();
    await page.getByLabel('Name').fill('operator');
    await page.getByLabel('Scope').selectOption('admin');
    await page.getByRole('button', { name: 'New key' }).click();
    const key = (await page.locator('[data-made-key]').textContent()) ?? '';
    expect(key).toMatch(/^drk_/);
    await page.getByRole('dialog').filter({ hasText: key }).getByRole('button', { name: 'Close' }).click();
    await page.getByRole('row').filter({ hasText: 'operator' }).waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    const dialog = page.getByRole('dialog', { name: 'Sign in' });
    await dialog.waitFor();
    await page.goto('/batches');
    await dialog.getByLabel('Key').fill('drk_wrong');
    await dialog.getByRole('button', { name: 'Sign in' }).click();
    await dialog.getByRole('alert').waitFor();
    await dialog.getByLabel('Key').fill(key);
    await dialog.getByRole('button', { name: 'Sign in' }).click();
    // What was asked for before comes without another word.
    await page.getByRole('link', { name: 'Fails' }).waitFor();
    await page.goto('/admin?tab=keys');
    await page.getByLabel('Name').fill('shop');
    await page.getByLabel('Scope').selectOption('write');
    await page.getByRole('button', { name: 'New key' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click();
    await page.getByRole('button', { name: 'Revoke shop' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
    await page.getByRole('row').filter({ hasText: 'shop' }).waitFor({ state: 'detached' });
  });
});

type Picture = { naturalWidth: number };
