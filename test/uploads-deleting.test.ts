// uploads-deleting.test.ts — `DELETE FROM images;` in the middle of the work, as README A has it: the list is empty at
// once, nobody stumbles, and no file stays.

import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { Client } from 'pg';
import { expect, inject, test } from 'vitest';
import { emptyTrash } from '../src/batches/sweep.ts';
import { never } from './support/batches.ts';
import { emptyPostgres } from './support/databases.ts';
import { freePort, startProduct, startWorker } from './support/product.ts';
import { openServed } from './support/served.ts';
import { file, photoOf, sendPatiently } from './support/upload-pictures.ts';

const patience = { timeout: 30_000, interval: 50 };

/** Sends pictures of which no two are the same, so that each is worked on. */
async function sendMany(url: string, count: number): Promise<void> {
  const photo = await photoOf(1000, 800);
  const { answer } = await sendPatiently(`${url}/api/async/upload`, () => {
    const form = new FormData();
    for (let n = 0; n < count; n++) form.append('images', file(Uint8Array.from([...photo, n]), `${n}.jpg`));
    return form;
  });
  expect(answer.status).toBe(200);
}

/** The status of each row of the list, at the first answer of a server that is not overloaded. */
async function statuses(url: string): Promise<string[]> {
  for (;;) {
    const answer = await fetch(`${url}/api/list`);
    const rows = (await answer.json()) as { status: string }[];
    if (answer.status === 200) return rows.map(({ status }) => status);
    expect(answer.status).toBe(503);
    await sleep(500);
  }
}

/** Resolves when some are done and some are not. */
async function inTheMiddle(url: string): Promise<void> {
  const words = async () => [...new Set(await statuses(url))];
  await expect.poll(words, patience).toEqual(expect.arrayContaining(['completed', 'pending']));
}

async function uploadsStillWork(url: string): Promise<void> {
  const photo = await photoOf(64, 48);
  const { answer } = await sendPatiently(`${url}/api/upload`, () => {
    const form = new FormData();
    form.append('image', file(photo, 'next.jpg'));
    return form;
  });
  expect(answer.status).toBe(200);
}

const faultsIn = (output: string) =>
  output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .filter((line) => Number((JSON.parse(line) as { level: number }).level) >= 50);

test(
  'embedded, deleting every image in mid-batch leaves no row, no file and no fault',
  { timeout: 120_000 },
  async () => {
    await using served = await openServed('pglite');
    const { db, storage } = served.app;
    await sendMany(served.url, 60);
    await inTheMiddle(served.url);

    await sql`delete from images`.execute(db.query);

    expect(await statuses(served.url)).toEqual([]);
    const states = async () => (await db.query.selectFrom('batches').select(['state', 'total']).execute())[0];
    await expect.poll(states, patience).toEqual({ state: 'canceled', total: 0 });
    await expect
      .poll(async () => {
        await emptyTrash(served.app, never);
        return storage.list(undefined, 10);
      }, patience)
      .toEqual([]);
    const faults = served.log.filter(({ level }) => Number(level) >= 50);
    expect(faults.map(({ msg, err }) => `${String(msg)}: ${JSON.stringify(err)}`)).toEqual([]);
    await uploadsStillWork(served.url);
  },
);

test.skipIf(!inject('postgresUrl'))(
  'on PostgreSQL, deleting every image in mid-batch disturbs neither the server nor its worker',
  { timeout: 120_000 },
  async () => {
    const database = await emptyPostgres();
    const dataDir = await mkdtemp(join(tmpdir(), 'darkroom-deleting-'));
    const env = { DATABASE_URL: database.url, DARKROOM_SLOTS: '2', DARKROOM_DISK_FLOOR: '1mb' };
    const psql = new Client({ connectionString: database.url });
    const server = await startProduct({ dataDir, port: await freePort(), env, args: ['serve', '--no-worker'] });
    const worker = await startWorker({ dataDir, port: 0, env });
    try {
      await psql.connect();
      await sendMany(server.url, 60);
      await inTheMiddle(server.url);

      await psql.query('DELETE FROM images;');

      expect(await statuses(server.url)).toEqual([]);
      const batches = async () => (await psql.query('select state, total from batches')).rows;
      await expect.poll(batches, patience).toEqual([{ state: 'canceled', total: 0 }]);
      // The worker sweeps by its own clock.
      await expect.poll(() => filesIn(join(dataDir, 'files')), patience).toEqual([]);
      expect((await psql.query('select name from files')).rows).toEqual([]);
      await uploadsStillWork(server.url);
      expect([faultsIn(server.output()), faultsIn(worker.output())]).toEqual([[], []]);
      expect([await worker.end('SIGTERM'), await server.end('SIGTERM')]).toEqual([0, 0]);
    } finally {
      await Promise.all([worker.end('SIGKILL'), server.end('SIGKILL')]);
      await psql.end();
      await database.drop();
      await rm(dataDir, { recursive: true, force: true });
    }
  },
);

const filesIn = async (folder: string) =>
  (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((each) => each.isFile())
    .map(({ name }) => name);
