// faults-posts.test.ts — faults 4, 7 and 57 of the reliability table: something was committed and its sender does not know.
//
// Wakes never arrive here: the database's pg_notify says nothing. DARKROOM_TEST_ROUNDS=20 makes the long run.

import { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { catalogForm, numbers, openCluster, type Cluster } from './support/cluster.ts';
import { databaseEngines, emptyPostgres } from './support/databases.ts';
import { rounds, tellFigures } from './support/figures.ts';
import { openGallery, type Gallery } from './support/gallery.ts';
import { openLossyLine, type LossyLine } from './support/lossy-line.ts';

const perRound = 5;
const twins = 100;
const timeout = { timeout: 180_000 + rounds * 60_000 };

describe.skipIf(!databaseEngines.includes('postgres'))('what was committed without a reply', () => {
  let postgres: Awaited<ReturnType<typeof emptyPostgres>>;
  let line: LossyLine;
  let gallery: Gallery;
  let house: Cluster;
  let pictures = 0;
  const nextUrl = () => gallery.url((pictures += 1));
  beforeAll(async () => {
    postgres = await emptyPostgres();
    await silenceNotifications(postgres.url);
    [line, gallery] = await Promise.all([openLossyLine(postgres.url), openGallery()]);
    const env = { DATABASE_URL: line.url, DARKROOM_ALLOW_HOSTS: gallery.host };
    house = await openCluster({ databaseUrl: postgres.url, env });
    await house.hire();
  }, 180_000);
  // Whoever failed may have left it dead.
  beforeEach(async () => {
    const isAlive = await fetch(`${house.api.url}/livez`).then(
      () => true,
      () => false,
    );
    if (!isAlive) await house.serveAgain();
  });
  afterAll(async () => {
    await house?.[Symbol.asyncDispose]();
    await line?.[Symbol.asyncDispose]();
    await gallery?.[Symbol.asyncDispose]();
    await postgres?.drop();
  });
  const allWell = async () => {
    const batches = await house.ask<{ id: string }>('select id from batches');
    await house.endWell(batches.map(({ id }) => id));
    expect(await house.mistakes()).toEqual([]);
  };

  test(`fault 4: what was acknowledged begins although nobody was woken (${rounds} rounds)`, timeout, async () => {
    const waits: number[] = [];
    const acknowledged: string[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const before = (await house.ask<{ id: string }>('select id from batches')).map(({ id }) => id);
      const posts = numbers(perRound).map((n) => post(house.api.url, `fault-4-${round}-${n}`, nextUrl()));
      await Promise.race(posts);
      await house.api.end('SIGKILL');
      const ids = (await Promise.all(posts)).flatMap(({ id }) => id ?? []);
      acknowledged.push(...ids);
      const begun = () =>
        house.ask<{ id: string; ms: number }>(
          `select b.id, extract(epoch from i.started_at - b.created_at)::float8 * 1000 as ms
          from batches b join images i on i.batch_id = b.id where b.id <> all($1) and i.started_at is not null`,
          [before],
        );
      const made = await house.ask<{ id: string }>('select id from batches where id <> all($1)', [before]);
      expect(made.map(({ id }) => id)).toEqual(expect.arrayContaining(ids));
      await expect.poll(async () => (await begun()).length, { timeout: 30_000 }).toBe(made.length);
      waits.push(...(await begun()).map(({ ms }) => ms / 1000));
      await house.serveAgain();
    }
    await allWell();
    const done = await house.ask(`select 1 from batches where id = any($1) and state = 'succeeded'`, [acknowledged]);
    tellFigures('fault 4, begun after', { rounds, seconds: waits, lost: acknowledged.length - done.length });
    expect(acknowledged.length).toBeGreaterThanOrEqual(rounds);
    expect(done).toHaveLength(acknowledged.length);
    expect(Math.max(...waits)).toBeLessThanOrEqual(20);
  });

  test(`fault 7: the same key gives the same id after a reply got lost (${rounds} rounds)`, timeout, async () => {
    const replies = rounds * perRound;
    let same = 0;
    for (let n = 1; n <= replies; n += 1) {
      line.lose(1, 'idempotency_keys');
      const [key, url] = [`fault-7-${n}`, nextUrl()];
      const first = await post(house.api.url, key, url);
      expect(line.lost).toBe(1);
      expect(first.status).toBe(503);
      const again = await post(house.api.url, key, url);
      const made = await house.ask<{ batch_id: string }>('select batch_id from idempotency_keys where key = $1', [key]);
      expect(made).toEqual([{ batch_id: again.id }]);
      expect(again.replayed).toBe(true);
      same += 1;
    }
    tellFigures(`fault 7, ${same} of ${replies} lost replies given again`, { rounds, lost: replies - same });
    await allWell();
  });

  test(
    `fault 7: a settle that was not answered is repeated and keeps its files (${rounds} rounds)`,
    timeout,
    async () => {
      const replies = rounds * perRound;
      line.lose(replies, 'insert into renditions');
      let images = 0;
      for (; line.lost < replies; images += 10) {
        const id = await house.submit(numbers(10).map(nextUrl));
        await house.endWell([id]);
      }
      await allWell();
      const results = async () => (await house.orphans()).filter((name) => !name.endsWith('.csv'));
      await expect.poll(results, { timeout: 30_000 }).toEqual([]);
      const missing = await house.missing();
      tellFigures(`fault 7, ${line.lost} replies to settles lost`, { rounds, lost: missing.length });
      expect(missing).toEqual([]);
    },
  );

  test(
    `fault 57: ${twins} twins over two processes, one killed, make one batch (${rounds} rounds)`,
    timeout,
    async () => {
      const other = await house.serveToo();
      let single = 0;
      for (let round = 0; round < rounds; round += 1) {
        const [key, url] = [`fault-57-${round}`, nextUrl()];
        const send = () => numbers(twins).map((n) => post(n % 2 ? house.api.url : other.url, key, url));
        const posts = send();
        await Promise.race(posts.map(async (each) => (await each).id ?? new Promise<never>(() => {})));
        await house.api.end('SIGKILL');
        const first = await Promise.all(posts);
        await house.serveAgain();
        const last = await post(house.api.url, key, url);
        const ids = new Set([...first, last].flatMap(({ id }) => id ?? []));
        expect([...ids]).toEqual([last.id]);
        const batches = await house.ask('select 1 from images where source_url = $1', [url]);
        expect(batches).toHaveLength(1);
        single += 1;
      }
      tellFigures(`fault 57, ${single} of ${rounds} keys with one batch`, { rounds, lost: rounds - single });
      await allWell();
      // Catalogs of those who were killed between storing and committing are left to the scrub.
      await house.tidy();
      expect(await house.orphans()).toEqual([]);
      expect(await house.missing()).toEqual([]);
    },
  );
});

type Posted = { status: number; id: string | undefined; replayed: boolean };

/** Posts a catalog of one picture under a key; status 0 when no reply came. */
async function post(url: string, key: string, picture: string): Promise<Posted> {
  try {
    const headers = { 'idempotency-key': key };
    const answer = await fetch(`${url}/upload`, { method: 'POST', body: catalogForm([picture]), headers });
    const body = (await answer.json()) as { request_id?: string };
    return {
      status: answer.status,
      id: body.request_id,
      replayed: answer.headers.get('idempotent-replayed') === 'true',
    };
  } catch {
    return { status: 0, id: undefined, replayed: false };
  }
}

/** From then on nobody on this database is woken by anybody. */
async function silenceNotifications(url: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(`create function public.pg_notify(text, text) returns void language sql as ''`);
  await client.query(
    `do $$ begin execute format('alter database %I set search_path = public, pg_catalog', current_database()); end $$`,
  );
  await client.end();
}
