// brokers.test.ts — many processes on one PostgreSQL, each broker and S3: a catalog ends right, whatever happens to the
// broker and to a worker meanwhile.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { describe, expect, test, vi } from 'vitest';
import { brokerEngines, type BrokerEngine } from './support/brokers.ts';
import { databaseEngines, emptyPostgres } from './support/databases.ts';
import { openPictureSource, type PictureSource } from './support/picture-source.ts';
import { freePort, startProduct, startWorker } from './support/product.ts';
import { startS3 } from './support/s3.ts';
import { csv } from './support/served.ts';

const patience = { timeout: 50_000, interval: 100 };
const rows = 120;

for (const engine of brokerEngines)
  // At the same time: most of it is waiting until a dead worker is known to be dead.
  describe.skipIf(!engine.program || !databaseEngines.includes('postgres'))(
    `with ${engine.name}`,
    { concurrent: true, timeout: 120_000 },
    () => {
      test('a catalog ends right while the broker is wiped, a worker killed, and the broker taken away for good', async () => {
        await using house = await openTown(engine);
        const release = house.pictures.hold();
        const id = await house.submit();
        await sent(house);

        await engine.wipe(house.broker, await house.instance());
        release();
        await settled(house, rows / 4);

        const again = house.pictures.hold();
        await sent(house);
        await house.workers[0]?.end('SIGKILL');
        again();
        await settled(house, rows / 2);

        await house.broker.kill();
        expect(await house.ends(id)).toMatchObject({ status: 'completed', processed_images: rows, failed_images: 1 });
        await vi.waitFor(
          async () => expect(await house.json('/readyz')).toMatchObject({ status: 'degraded' }),
          patience,
        );
        const output = await (await fetch(`${house.api.url}/download/${id}`)).text();
        const results = [...output.matchAll(/http:[^,\s]+\/processed_images\/\w+\.jpg/g)].map(([url]) => url);
        expect(results).toHaveLength(rows);
        const first = await fetch(results[0] ?? '');
        expect([first.status, first.headers.get('content-type')]).toEqual([200, 'image/jpeg']);
        const open = `select count(*)::int as open from images where state in ('queued', 'dispatched', 'running')`;
        expect(await house.ask(open)).toEqual([{ open: 0 }]);
        // Nobody innocent has paid for the death of the worker or the broker.
        expect(await house.ask(`select distinct attempts_left from images where state = 'succeeded'`)).toEqual([
          { attempts_left: 4 },
        ]);
        expect(await house.workers[1]?.end('SIGTERM')).toBe(0);
      });
    },
  );

/** So many images have come to an end. */
const settled = ({ ask }: Town, count: number) =>
  vi.waitFor(async () => {
    const [row] = await ask<{ ended: number }>(`select count(*)::int as ended from images where state = 'succeeded'`);
    expect(row?.ended).toBeGreaterThanOrEqual(count);
  }, patience);

/** Tickets are at the broker, and both workers have images in hand. */
const sent = ({ ask, workers }: Town) =>
  vi.waitFor(async () => {
    const query = `select count(*) filter (where state = 'dispatched')::int as tickets,
      count(distinct worker) filter (where state = 'running')::int as workers from images`;
    const [row] = await ask<{ tickets: number; workers: number }>(query);
    expect(row?.tickets).toBeGreaterThan(0);
    expect(row?.workers).toBe(workers.length);
  }, patience);

type Town = Awaited<ReturnType<typeof openTown>>;

/** One process that serves, two that work. */
async function openTown(engine: BrokerEngine) {
  const closers: (() => PromiseLike<unknown>)[] = [];
  const pictures: PictureSource = await openPictureSource();
  closers.push(() => pictures[Symbol.asyncDispose]());
  const [broker, s3, postgres] = await Promise.all([engine.start(), startS3(), emptyPostgres()]);
  const database = new Client({ connectionString: postgres.url });
  await database.connect();
  closers.push(
    postgres.drop,
    () => database.end(),
    () => s3[Symbol.asyncDispose](),
    broker.stop,
  );
  const dataDir = await mkdtemp(join(tmpdir(), 'darkroom-town-'));
  closers.push(() => rm(dataDir, { recursive: true, force: true }));
  const port = await freePort();
  const env = {
    ...s3.env,
    DATABASE_URL: postgres.url,
    QUEUE_URL: broker.url,
    STORAGE_URL: s3.urlOf('town'),
    DARKROOM_ALLOW_HOSTS: pictures.host,
    DARKROOM_SLOTS: '1',
  };
  const api = await startProduct({ dataDir, port, env, args: ['serve', '--no-worker'] });
  const workers = await Promise.all([1, 2].map(() => startWorker({ dataDir, port, env })));
  closers.push(() => Promise.all([api, ...workers].map((each) => each.end('SIGKILL'))));
  const ask = async <Row extends object>(statement: string): Promise<Row[]> =>
    (await database.query<Row>(statement)).rows;
  const json = async (path: string) => (await (await fetch(api.url + path)).json()) as Record<string, unknown>;
  return {
    pictures,
    broker,
    api,
    workers,
    ask,
    json,
    async instance(): Promise<string> {
      const [row] = await ask<{ value: string }>(`select value from settings where name = 'instance'`);
      return row?.value ?? '';
    },
    /** Pictures with an address of their own each, and one that is missing. */
    async submit(): Promise<string> {
      const lines = Array.from({ length: rows }, (_, at) => `${at},P${at},http://${pictures.host}/a.jpg?n=${at}\n`);
      const body = new FormData();
      body.append('file', csv(`${lines.join('')}${rows},P,http://${pictures.host}/missing.jpg\n`));
      const answer = (await (await fetch(`${api.url}/upload`, { method: 'POST', body })).json()) as {
        request_id: string;
      };
      return answer.request_id;
    },
    async ends(id: string) {
      let last: Record<string, unknown> = {};
      await vi.waitFor(async () => {
        last = await json(`/status/${id}`);
        expect(last).toMatchObject({ status: expect.stringMatching(/completed|failed/) });
      }, patience);
      return last;
    },
    async [Symbol.asyncDispose]() {
      for (let close = closers.pop(); close; close = closers.pop()) await close();
    },
  };
}
