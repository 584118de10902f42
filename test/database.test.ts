// database.test.ts — runs the suite over both engines, and what only one of them can do wrong.

import { sql } from 'kysely';
import { Client } from 'pg';
import { describe, expect, inject, test, vi } from 'vitest';
import { patience } from '../src/db/engine.ts';
import { databaseOn, openDatabase } from '../src/db/open.ts';
import { openLite } from '../src/db/pglite.ts';
import { openPostgres } from '../src/db/postgres.ts';
import { onEachDatabase, openTestDatabase, pgliteDump, silent } from './support/databases.ts';
import { databaseSuite } from './suites/database.ts';

onEachDatabase((engine) => databaseSuite(() => openTestDatabase(engine)));

test('the only connection of the embedded engine is never thrown away', async () => {
  const engine = await openLite({ dump: await pgliteDump() }, silent);
  for (let round = 0; round < 3; round++) {
    const client = await engine.pool.connect();
    expect((await client.query('select 1 as one', [])).rows).toEqual([{ one: 1 }]);
    client.release(true);
  }
  await engine.pool.end();
  await engine.close();
});

test('asking for a second connection inside a transaction ends with an error, not with silence', async () => {
  await using db = await openTestDatabase('pglite');
  const slip = db.transaction(() => sql`select 1`.execute(db.query));
  await expect(slip).rejects.toThrow('timeout exceeded when trying to connect');
  expect(await db.healthy()).toBe(true);
});

describe.skipIf(!inject('postgresUrl'))('a PostgreSQL server', () => {
  test('sets a limit on every wait', async () => {
    await using db = await openTestDatabase('postgres');
    const { rows } = await sql<{ name: string; setting: string }>`
      select name, setting from pg_settings
      where name in ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout') order by name`.execute(
      db.query,
    );
    expect(rows.map(({ name, setting }) => `${name} ${setting}`)).toEqual([
      'idle_in_transaction_session_timeout 15000',
      'lock_timeout 5000',
      'statement_timeout 30000',
    ]);
  });

  test('a migration that changes what a known statement returns costs nobody their transaction', async () => {
    await using db = await openTestDatabase('postgres');
    const read = () =>
      db.transaction(async (tx) => (await tx.selectFrom('settings').selectAll().where('name', '=', 'a').execute())[0]);
    await db.query.insertInto('settings').values({ name: 'a', value: '1' }).execute();
    for (let time = 0; time < 10; time++) expect(await read()).toEqual({ name: 'a', value: 1 });
    await sql`alter table settings add column since int default 3`.execute(db.query);
    for (let time = 0; time < 10; time++) expect(await read()).toEqual({ name: 'a', value: 1, since: 3 });
  });

  test('two transactions that lock crosswise both succeed in the end', async () => {
    await using db = await openTestDatabase('postgres');
    await db.query
      .insertInto('settings')
      .values([
        { name: 'a', value: '0' },
        { name: 'b', value: '0' },
      ])
      .execute();
    let meeting = 0;
    const both = Promise.withResolvers<void>();
    const add = (first: string, second: string) =>
      db.transaction(async (tx) => {
        const bump = (name: string) =>
          sql`update settings set value = to_jsonb(value::int + 1) where name = ${name}`.execute(tx);
        await bump(first);
        meeting += 1;
        if (meeting === 2) both.resolve();
        await both.promise;
        await bump(second);
      });
    await Promise.all([add('a', 'b'), add('b', 'a')]);
    expect(meeting).toBe(3); // one of them ran twice
    const { rows } = await sql`select value from settings`.execute(db.query);
    expect(rows).toEqual([{ value: 2 }, { value: 2 }]);
  });

  test('goes on after all its connections were cut', async () => {
    await using db = await openTestDatabase('postgres');
    const heard: string[] = [];
    await db.listen('work', (payload) => heard.push(payload));
    const running = Promise.allSettled([
      db.transaction((tx) => sql`select pg_sleep(10)`.execute(tx)),
      sql`select pg_sleep(10)`.execute(db.query),
    ]);
    await vi.waitFor(() => cutAll(db.url, 3));
    expect((await running).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await vi.waitFor(() => expect(db.healthy()).resolves.toBe(true));
    await vi.waitFor(
      async () => {
        await sql`select pg_notify('work', 'back')`.execute(db.query);
        expect(heard).toContain('back');
      },
      { timeout: 10_000, interval: 100 },
    );
  });

  test('a statement left without an answer gives its connection up', async () => {
    await using db = await openTestDatabase('postgres');
    const before = performance.now();
    const waiting = db.transaction((tx) => sql`select pg_sleep(10)`.execute(tx), { timeoutMs: 300 });
    await expect(waiting).rejects.toThrow('timeout');
    expect(performance.now() - before).toBeLessThan(3000);
    const alone = databaseOn(await openPostgres({ url: db.url, pool: 1, log: silent }));
    await expect(alone.transaction((tx) => sql`select pg_sleep(10)`.execute(tx), { timeoutMs: 300 })).rejects.toThrow(
      'timeout',
    );
    // With one connection in the pool, whoever came next would queue behind the dead statement.
    expect(await alone.healthy()).toBe(true);
    const single = patience.run(300, () => sql`select pg_sleep(10)`.execute(alone.query));
    await expect(single).rejects.toThrow('timeout');
    expect(await alone.healthy()).toBe(true);
    await alone.close();
  });

  test('a server that cannot be reached is told with its address and without the password', async () => {
    const opening = openPostgres({
      url: 'postgres://me:secret@127.0.0.1:1/x',
      pool: 1,
      log: silent,
      reachWithinMs: 300,
    });
    await expect(opening).rejects.toThrow('PostgreSQL at 127.0.0.1:1 cannot be used');
    await expect(opening).rejects.not.toThrow('secret');
  });

  test('a database that does not exist is refused at once', async () => {
    const url = new URL(inject('postgresUrl'));
    url.pathname = '/nowhere';
    const before = performance.now();
    const opening = openDatabase({ url: url.href, dataDir: '', pool: 1, log: silent });
    await expect(opening).rejects.toMatchObject({ name: 'DatabaseRefusal' });
    expect(performance.now() - before).toBeLessThan(3000);
  });
});

/** Throws until at least `count` sessions of the database were there to be cut. */
async function cutAll(url: string, count: number): Promise<void> {
  const name = new URL(url).pathname.slice(1);
  const client = new Client({ connectionString: inject('postgresUrl') });
  await client.connect();
  try {
    const there = await client.query(`select pid from pg_stat_activity where datname = $1`, [name]);
    expect(there.rowCount).toBeGreaterThanOrEqual(count);
    await client.query(`select pg_terminate_backend(pid) from pg_stat_activity where datname = $1`, [name]);
  } finally {
    await client.end();
  }
}
