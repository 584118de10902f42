// handing-out.ts — what every queue engine must do for the house as a whole: hand out each image, once, and lose none.
//
// Run on real workers that fetch real pictures: the database by itself, and with each broker before it.

import { sql } from 'kysely';
import { expect, test, vi } from 'vitest';
import { start } from '../../src/start.ts';
import { silent, type EngineName } from '../support/databases.ts';
import { csv, openServed, type Served } from '../support/served.ts';

const patience = { timeout: 40_000, interval: 100 };
const bulk = 60;

export type HandingOut = {
  database: EngineName;
  carriesTickets: boolean;
  /** '' = the database is the queue. */
  queueUrl: () => string;
};

export function handingOutSuite({ database, carriesTickets, queueUrl }: HandingOut): void {
  const open = () => openServed(database, { env: { QUEUE_URL: queueUrl() } });

  test('each image is handed out once, whichever worker asks', async () => {
    await using house = await open();
    const other = database === 'postgres' ? await anotherWorker(house) : undefined;
    const id = await submit(house, bulk);
    await ends(house, id, { completed: bulk });
    expect(house.pictures.asked.get('/a.jpg')).toBe(bulk);
    const { rows } = await query<{ attempts: number }>(house, sql`select distinct attempts from images`);
    expect(rows).toEqual([{ attempts: 1 }]);
    const { rows: sent } = await query<{ count: number }>(
      house,
      sql`select count(*)::int as count from images where dispatched_at is not null`,
    );
    expect(sent).toEqual([{ count: carriesTickets ? bulk : 0 }]);
    await other?.stop();
  });

  test('a worker has no more in hand than it may, the rest waits, and small batches pass it', async () => {
    await using house = await open();
    const release = house.pictures.hold();
    const large = await submit(house, bulk);
    const inHand = await fullHand(house);
    const { json } = await house.ask('/health');
    expect(json.waiting).toBe(bulk - inHand);
    const small = await submit(house, 1, 'b.png');
    await vi.waitFor(async () => expect(await running(house, small)).toBe(1), patience);
    expect(await running(house, large)).toBe(inHand);
    release();
    await ends(house, small, { completed: 1 });
  });

  test('a stop puts back what was only waited for, without costing a try; the next start goes on', async () => {
    await using house = await open();
    const release = house.pictures.hold();
    const id = await submit(house, bulk);
    await fullHand(house);
    const stopped = house.restart();
    release();
    await stopped;
    await ends(house, id, { completed: bulk });
    const { rows } = await query<{ left: number }>(house, sql`select distinct attempts_left as left from images`);
    expect(rows).toEqual([{ left: 4 }]);
  });

  if (!carriesTickets) return;

  test('tickets that come three times, or for images that are none, start nothing twice', async () => {
    await using house = await open();
    const release = house.pictures.hold();
    const id = await submit(house, bulk);
    const { rows } = await query<{ id: string; lane: 1 }>(house, sql`select id, lane from images`);
    const stranger = { id: '01990000-0000-7000-8000-000000000000', lane: 1 as const };
    for (let time = 0; time < 3; time++) await house.app.queue.publish([...rows, stranger]);
    release();
    await ends(house, id, { completed: bulk });
    const { rows: starts } = await query<{ attempts: number }>(house, sql`select distinct attempts from images`);
    expect(starts).toEqual([{ attempts: 1 }]);
  });
}

/** Submits a catalog of `count` pictures, each with an address of its own; returns its id. */
export async function submit(house: Served, count: number, file = 'a.jpg'): Promise<string> {
  const rows = Array.from(
    { length: count },
    (_, at) => `${at + 1},P${at},http://${house.pictures.host}/${file}?n=${at}\n`,
  );
  const { status, json, text } = await house.ask('/upload', { form: { file: csv(rows.join('')) } });
  if (status !== 200) throw new Error(text);
  return json.request_id;
}

async function ends(house: Served, id: string, { completed }: { completed: number }): Promise<void> {
  await vi.waitFor(async () => {
    const { json } = await house.ask(`/status/${id}`);
    expect(json).toMatchObject({ status: 'completed', processed_images: completed, failed_images: 0 });
  }, patience);
}

/**
 * Waits until the worker has as much of a held catalog in hand as it takes, and returns how much that is. Two slots: at most
 * eight, and by the half hand; so where tickets come one by one the last few may stay away.
 */
async function fullHand(house: Served): Promise<number> {
  let last = 0;
  await vi.waitFor(async () => {
    const before = last;
    last = await running(house);
    expect(last).toBeGreaterThan(4);
    expect(before).toBe(last);
  }, patience);
  expect(last).toBeLessThanOrEqual(8);
  return last;
}

/** How many images are running, of one batch or of all. */
async function running(house: Served, batch?: string): Promise<number> {
  const { rows } = await query<{ count: number }>(
    house,
    sql`select count(*)::int as count from images where state = 'running' and batch_id = coalesce(${batch ?? null}::uuid, batch_id)`,
  );
  return rows[0]?.count ?? 0;
}

const query = <Row>({ app }: Served, statement: ReturnType<typeof sql<unknown>>) =>
  (statement as ReturnType<typeof sql<Row>>).execute(app.db.query);

const anotherWorker = ({ app }: Served) =>
  start(app.config, { version: 'test', log: silent, serve: false, work: true });
