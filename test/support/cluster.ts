// cluster.ts — one process that serves and as many that work as a test hires, on a PostgreSQL that may go away.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { expect } from 'vitest';
import { dropUnusedUploads } from '../../src/batches/prune-sources.ts';
import { emptyTrash, scrubStorage } from '../../src/batches/sweep.ts';
import type { Database } from '../../src/db/database.ts';
import { openDatabase } from '../../src/db/open.ts';
import { openStorage } from '../../src/storage/index.ts';
import { findMistakes, never } from './batches.ts';
import { silent } from './databases.ts';
import { freePort, startProduct, startWorker, type Product } from './product.ts';

export type ClusterOptions = {
  /** Where the test looks; the processes too, unless `env` names another way there. */
  databaseUrl: string;
  env: Record<string, string>;
  /** The folder that STORAGE_URL names, if it does. */
  files?: string;
};

export type Cluster = Awaited<ReturnType<typeof openCluster>>;
type Status = { status: string; total_images: number; processed_images: number; failed_images: number };

/** Starts the serving process; disposing kills all processes and removes their folder. */
export async function openCluster({ databaseUrl, env: given, files: named }: ClusterOptions) {
  const dataDir = await mkdtemp(join(tmpdir(), 'darkroom-cluster-'));
  const files = named ?? join(dataDir, 'files');
  const env = { DATABASE_URL: databaseUrl, DARKROOM_LOG_LEVEL: 'warn', DARKROOM_SLOTS: '2', ...given };
  const options = { dataDir, port: await freePort(), env };
  const workers = new Set<Product>();
  let api = await startProduct({ ...options, args: ['serve', '--no-worker'] });

  async function ask<Row extends object>(statement: string, values: unknown[] = []): Promise<Row[]> {
    const client = new Client({ connectionString: databaseUrl, connectionTimeoutMillis: 2000 });
    client.on('error', () => {});
    try {
      await client.connect();
      return (await client.query<Row>(statement, values)).rows;
    } finally {
      await client.end().catch(() => {});
    }
  }
  async function within<T>(work: (db: Database) => Promise<T>): Promise<T> {
    const db = await openDatabase({ url: databaseUrl, dataDir, pool: 1, log: silent, migrations: 'wait' });
    try {
      return await work(db);
    } finally {
      await db.close();
    }
  }
  const statusOf = (id: string): Promise<Partial<Status>> =>
    fetch(`${api.url}/status/${id}`).then((answer) => answer.json() as Promise<Status>);

  return {
    dataDir,
    workers,
    get api() {
      return api;
    },
    ask,
    /** The time of the database, in ms. */
    async now(): Promise<number> {
      const [row] = await ask<{ now: Date }>('select clock_timestamp() as now');
      return row!.now.getTime();
    },
    async hire(more: Record<string, string> = {}): Promise<Product> {
      const worker = await startWorker({ ...options, env: { ...env, ...more }, onSpawn: (each) => workers.add(each) });
      return worker;
    },
    /** Kills a worker and forgets it. */
    async lose(worker: Product): Promise<void> {
      await worker.end('SIGKILL');
      workers.delete(worker);
    },
    /** Starts the serving process once more, after somebody has killed it. */
    async serveAgain(): Promise<void> {
      api = await startProduct({ ...options, args: ['serve', '--no-worker'] });
    },
    /** Starts one more process that serves, on a port of its own. */
    async serveToo(): Promise<Product> {
      const port = await freePort();
      const onSpawn = (each: Product) => void workers.add(each);
      return startProduct({ ...options, port, args: ['serve', '--no-worker'], onSpawn });
    },
    /** Submits a catalog of these URLs; returns its id. */
    async submit(urls: string[], more: { webhook?: string; headers?: Record<string, string> } = {}): Promise<string> {
      const answer = await fetch(`${api.url}/upload`, {
        method: 'POST',
        body: catalogForm(urls, more.webhook),
        ...more,
      });
      if (answer.status !== 200) throw new Error(`${answer.status} ${await answer.text()}`);
      return ((await answer.json()) as { request_id: string }).request_id;
    },
    /** Waits until all these batches have ended, and every one of their images well. */
    async endWell(ids: string[], timeout = 120_000): Promise<void> {
      for (const id of ids) {
        const status = async () => (await statusOf(id).catch((): Partial<Status> => ({}))).status ?? '';
        await expect.poll(status, { timeout, interval: 100 }).toMatch(/completed|failed/);
        const { total_images: total, ...counts } = await statusOf(id);
        expect(counts).toMatchObject({ status: 'completed', processed_images: total, failed_images: 0 });
      }
    },
    /** What must not be when all is quiet: wrong counters, ends told twice or never, images that a house fault has cost a try. */
    async mistakes(): Promise<unknown[]> {
      const found = await within(findMistakes);
      const toldTwice = await ask(`select image from events, unnest(images) as image where type = 'images.settled'
        group by image, batch_id, generation having count(*) > 1`);
      const paid = await ask(`select id, state, attempts_left, error_code from images where attempts_left <> 4`);
      return [...found, ...toldTwice, ...paid];
    },
    /** How many of the images that were acknowledged have not come to a good end. */
    async lost(acknowledged: number): Promise<number> {
      const [row] = await ask<{ done: number }>(`select count(*)::int as done from images where state = 'succeeded'`);
      return acknowledged - (row?.done ?? 0);
    },
    /** The id under which the process works; waits until it has one. */
    async idOf({ pid }: Product): Promise<string> {
      const look = () => ask<{ id: string }>('select id from workers where pid = $1', [pid]);
      await expect.poll(async () => (await look()).length, { timeout: 120_000 }).toBe(1);
      return (await look())[0]?.id ?? '';
    },
    /** Files in storage that no row knows; temporary ones are not counted. */
    async orphans(): Promise<string[]> {
      const known = new Set((await ask<{ name: string }>('select name from files')).map(({ name }) => name));
      const entries = readdirSync(files, { recursive: true, withFileTypes: true });
      const stored = entries.filter((entry) => entry.isFile() && !entry.parentPath.endsWith('/tmp'));
      return stored.map(({ name }) => name).filter((name) => !known.has(name));
    },
    /** Does what the housekeeping of some days does: drops uploads that nobody used, and objects that no row knows. */
    async tidy(): Promise<void> {
      await ask(`update files set created_at = created_at - interval '25 hours'`);
      const storage = await openStorage({ url: `file:${files}`, dataDir, diskFloor: 0, log: silent });
      await within(async (db) => {
        await dropUnusedUploads({ db }, never);
        await emptyTrash({ db, storage }, never);
        await scrubStorage({ db, storage }, never, -1_000);
      });
      await storage.close();
    },
    /** Files of that kind that are not in storage as their rows say. */
    async missing(kind: 'source' | 'result' = 'result'): Promise<string[]> {
      const rows = await ask<{ file: string; sha256: Buffer }>(
        'select name as file, sha256 from files where kind = $1 and gone_at is null',
        [kind],
      );
      const entries = readdirSync(files, { recursive: true, withFileTypes: true });
      const paths = new Map(entries.map((entry) => [entry.name, join(entry.parentPath, entry.name)]));
      const isWhole = ({ file, sha256 }: (typeof rows)[0]): boolean => {
        const path = paths.get(file);
        return path !== undefined && createHash('sha256').update(readFileSync(path)).digest().equals(sha256);
      };
      return rows.filter((row) => !isWhole(row)).map(({ file }) => file);
    },
    /** Images that a worker's death was held against. */
    struck: () => ask<{ id: string; strikes: number }>('select id, strikes from images where strikes > 0'),
    async [Symbol.asyncDispose]() {
      await Promise.all([...workers, api].map((each) => each.end('SIGKILL')));
      await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** The form of a catalog with a product for each URL. */
export function catalogForm(urls: string[], webhook?: string): FormData {
  const rows = urls.map((url, n) => `${n + 1},P${n + 1},${url}`);
  const form = new FormData();
  form.set('file', new Blob([['S. No.,Product Name,Input Image Urls', ...rows].join('\n')]), 'catalog.csv');
  if (webhook) form.set('webhook_url', webhook);
  return form;
}

export const numbers = (count: number, from = 1): number[] => Array.from({ length: count }, (_, n) => n + from);
