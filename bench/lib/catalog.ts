// catalog.ts — what a customer does: sends a catalog, waits for its end, fetches the results.

import { parse } from 'csv-parse/sync';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import type { Output } from './quality.ts';
import type { Darkroom } from './server.ts';

export type Ended = { id: string; state: string; total: number; failed: number; wallMs: number };

/** A catalog with one product for each URL. */
export function writeCatalog(urls: string[]): string {
  const lines = urls.map((url, index) => `${index + 1},SKU${index + 1},${url}`);
  return ['S. No.,Product Name,Input Image Urls', ...lines, ''].join('\n');
}

/**
 * Sends the catalog to /upload and waits for its end. Time runs from the first byte sent to the `finished_at` that the
 * database wrote, so that neither way of waiting rounds it.
 */
export async function runCatalog(server: Darkroom, catalog: string): Promise<Ended> {
  const begin = Date.now();
  const id = await sendCatalog(server.url, catalog);
  const { finishedAt, ...end } = server.postgres
    ? await endInDatabase(server.postgres.url, id)
    : await endByWaiting(server.url, id);
  return { id, ...end, wallMs: finishedAt.getTime() - begin };
}

/** Sends the catalog to /upload; gives its id as soon as it is accepted. */
export async function sendCatalog(url: string, catalog: string): Promise<string> {
  const form = new FormData();
  form.set('file', new Blob([catalog], { type: 'text/csv' }), 'catalog.csv');
  const response = await fetch(`${url}/upload`, { method: 'POST', body: form });
  if (!response.ok) throw new Error(`/upload answered ${response.status}: ${await response.text()}`);
  return ((await response.json()) as { request_id: string }).request_id;
}

export type Wanted = { images: { source: { url: string } }[] } & (
  | { renditions: Record<string, string> }
  | { pipeline: string }
);

/** The same by POST /v1/batches: a list of at most 2,000 pictures, with one pipeline or several renditions. */
export async function runList(server: Darkroom, wanted: Wanted): Promise<Ended> {
  const begin = Date.now();
  const response = await fetch(`${server.url}/v1/batches`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(wanted),
  });
  if (!response.ok) throw new Error(`/v1/batches answered ${response.status}: ${await response.text()}`);
  const { id } = (await response.json()) as { id: string };
  const { finishedAt, ...end } = server.postgres
    ? await endInDatabase(server.postgres.url, id)
    : await endByWaiting(server.url, id);
  return { id, ...end, wallMs: finishedAt.getTime() - begin };
}

type End = { state: string; total: number; failed: number; finishedAt: Date };

/** Looks every 15 ms: one statement by primary key, so that nobody's API is loaded by our asking. */
async function endInDatabase(url: string, id: string): Promise<End> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    for (;;) {
      const { rows } = await client.query<End>({
        name: 'end',
        text: 'select state, total, failed, finished_at as "finishedAt" from batches where id = $1 and finished_at is not null',
        values: [id],
      });
      if (rows[0]) return rows[0];
      await sleep(15);
    }
  } finally {
    await client.end();
  }
}

/** The embedded database belongs to the server's process: one request that the server answers at the end. */
async function endByWaiting(url: string, id: string): Promise<End> {
  for (;;) {
    const response = await fetch(`${url}/v1/batches/${id}?wait=60`);
    if (!response.ok) throw new Error(`/v1/batches answered ${response.status}: ${await response.text()}`);
    const batch = (await response.json()) as { state: string; counts: Counts; finished_at: string | null };
    const { total, failed } = batch.counts;
    if (batch.finished_at) return { state: batch.state, total, failed, finishedAt: new Date(batch.finished_at) };
  }
}

type Counts = { total: number; failed: number };

/** The results of a catalog by the name of their source, as its output says. */
export async function fetchResults(server: Darkroom, id: string): Promise<Output[]> {
  const csv = await (await fetch(`${server.url}/download/${id}`)).text();
  const [, ...rows] = parse(csv);
  const results = new Map<string, Output>();
  for (const [, , source = '', result = ''] of rows) {
    const name = decodeURIComponent(source.split('/').at(-1) ?? '').replace(/\.\w+$/, '');
    if (!result || results.has(name)) continue;
    const path = new URL(result).pathname;
    const body = Buffer.from(await (await fetch(`${server.url}${path}`)).arrayBuffer());
    results.set(name, { name, body });
  }
  return [...results.values()];
}
