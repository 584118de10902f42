// database.ts — what every database engine must do: the promises of src/db/database.ts, one by one.

import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Database } from '../../src/db/database.ts';

/** `open` gives a migrated, empty database each time. */
export function databaseSuite(open: () => Promise<Database>): void {
  let db: Database;
  beforeEach(async () => {
    db = await open();
  });
  afterEach(() => db.close());

  const setting = (name: string) => db.query.selectFrom('settings').select('value').where('name', '=', name);
  const put = (name: string) => db.query.insertInto('settings').values({ name, value: JSON.stringify([name]) });

  test('gives back bigint as a number, jsonb as its value, bytea as a buffer', async () => {
    const row = { name: 'a.jpg', kind: 'result' as const, media_type: 'image/jpeg', bytes: 3_000_000_000 };
    await db.query
      .insertInto('files')
      .values({ ...row, sha256: Buffer.from([1, 2]) })
      .execute();
    expect(await db.query.selectFrom('files').selectAll().executeTakeFirstOrThrow()).toMatchObject({
      ...row,
      sha256: Buffer.from([1, 2]),
      created_at: expect.any(Date),
      gone_at: null,
    });
    await put('list').execute();
    expect(await setting('list').executeTakeFirst()).toEqual({ value: ['list'] });
  });

  test('commits what a transaction did, and its result is returned', async () => {
    const result = await db.transaction(async (tx) => {
      await tx.insertInto('settings').values({ name: 'kept', value: '1' }).execute();
      return 7;
    });
    expect(result).toBe(7);
    expect(await setting('kept').executeTakeFirst()).toEqual({ value: 1 });
  });

  test('undoes a transaction that throws, and hands the error on', async () => {
    const broken = db.transaction(async (tx) => {
      await tx.insertInto('settings').values({ name: 'undone', value: '1' }).execute();
      throw new Error('no');
    });
    await expect(broken).rejects.toThrow('no');
    expect(await setting('undone').execute()).toEqual([]);
  });

  test('can be used after a statement failed, alone or in a transaction', async () => {
    for (let round = 0; round < 20; round++) {
      await expect(sql`select nonsense`.execute(db.query)).rejects.toMatchObject({ code: '42703' });
      await expect(db.transaction((tx) => sql`select 1/0`.execute(tx))).rejects.toMatchObject({ code: '22012' });
    }
    await put('after').execute();
    await expect(put('after').execute()).rejects.toMatchObject({ code: '23505' });
    expect(await setting('after').execute()).toHaveLength(1);
  });

  test.each(['40P01', '40001'])('repeats a transaction that ends with %s', async (code) => {
    let tries = 0;
    await db.transaction(async (tx) => {
      tries += 1;
      await tx
        .insertInto('settings')
        .values({ name: `try ${tries}`, value: '1' })
        .execute();
      if (tries < 4) await raise(tx, code);
    });
    expect(tries).toBe(4);
    expect(await db.query.selectFrom('settings').select('name').execute()).toEqual([{ name: 'try 4' }]);
  });

  test('gives a transaction up after five repeats', async () => {
    let tries = 0;
    const hopeless = db.transaction((tx) => {
      tries += 1;
      return raise(tx, '40001');
    });
    await expect(hopeless).rejects.toMatchObject({ code: '40001' });
    expect(tries).toBe(6);
  });

  test('does not repeat a transaction that fails for another reason', async () => {
    let tries = 0;
    const failing = db.transaction((tx) => {
      tries += 1;
      return raise(tx, '23514');
    });
    await expect(failing).rejects.toMatchObject({ code: '23514' });
    expect(tries).toBe(1);
  });

  test.each([0, 1, 2, 3, 4, 6, 7])('walks %i rows in pages of three, each row once', async (count) => {
    for (let n = 0; n < count; n++) await put(`row ${n}`).execute();
    const asked: number[] = [];
    const walk = db.pages<{ name: string }>(async (after, limit) => {
      asked.push(limit);
      const page = db.query.selectFrom('settings').select('name').orderBy('name').limit(limit);
      return (after ? page.where('name', '>', after.name) : page).execute();
    }, 3);
    const names: string[] = [];
    for await (const { name } of walk) names.push(name);
    expect(names).toEqual(Array.from({ length: count }, (_, n) => `row ${n}`));
    expect(asked).toHaveLength(Math.floor(count / 3) + 1);
  });

  test('lets statements run between the rows of a walk', async () => {
    for (let n = 0; n < 5; n++) await put(`row ${n}`).execute();
    const walk = db.pages<{ name: string }>(
      (after, limit) =>
        db.query
          .selectFrom('settings')
          .select('name')
          .where('name', '>', after?.name ?? '')
          .orderBy('name')
          .limit(limit)
          .execute(),
      2,
    );
    const values: unknown[] = [];
    for await (const { name } of walk) values.push((await setting(name).executeTakeFirstOrThrow()).value);
    expect(values).toHaveLength(5);
  });

  test('hears notifications of its channel until it stops, and only after the commit', async () => {
    const heard: string[] = [];
    const others: string[] = [];
    const stop = await db.listen('work', (payload) => heard.push(payload));
    const stopOther = await db.listen('events', (payload) => others.push(payload));
    await db.transaction(async (tx) => {
      await sql`select pg_notify('work', 'first')`.execute(tx);
      await sql`select pg_notify('events', 'other')`.execute(tx);
      expect(heard).toEqual([]);
    });
    await vi.waitFor(() => expect([heard, others]).toEqual([['first'], ['other']]));
    await stop();
    await sql`select pg_notify('work', 'second')`.execute(db.query);
    await sql`select pg_notify('events', 'end')`.execute(db.query);
    await vi.waitFor(() => expect(others).toEqual(['other', 'end']));
    expect(heard).toEqual(['first']);
    await stopOther();
  });

  test('lets several hear the same channel', async () => {
    const heard: string[] = [];
    await db.listen('running', (payload) => heard.push(`a ${payload}`));
    await db.listen('running', (payload) => heard.push(`b ${payload}`));
    await sql`select pg_notify('running', 'x')`.execute(db.query);
    await vi.waitFor(() => expect(heard.toSorted()).toEqual(['a x', 'b x']));
  });

  test('listening in the middle of a transaction of somebody else survives its rollback', async () => {
    const heard: string[] = [];
    const begun = Promise.withResolvers<void>();
    const rolledBack = db.transaction(async (tx) => {
      await sql`select 1`.execute(tx);
      begun.resolve();
      await sleep(50);
      throw new Error('rolled back');
    });
    await begun.promise;
    const listening = db.listen('work', (payload) => heard.push(payload));
    await expect(rolledBack).rejects.toThrow('rolled back');
    await listening;
    await sql`select pg_notify('work', 'still here')`.execute(db.query);
    await vi.waitFor(() => expect(heard).toEqual(['still here']));
  });

  test('plans a statement that comes again once, and anew when its table has grown meanwhile', async () => {
    await sql`create table grown (id int primary key, word text)`.execute(db.query);
    const find = (id: number) => sql<{ word: string }>`select word from grown where id = ${id}`.execute(db.query);
    await sql`insert into grown values (-1, 'small'), (-2, 'tables')`.execute(db.query);
    await sql`analyze grown`.execute(db.query);
    for (let time = 0; time < 12; time++) expect((await find(time)).rows).toEqual([]);
    const { rows: named } = await sql<{ name: string; generic: number }>`
      select name, generic_plans as generic from pg_prepared_statements
      where statement like 'select word from grown%'`.execute(db.query);
    expect(named).toEqual([{ name: expect.stringMatching(/^darkroom_\d+$/), generic: expect.any(Number) }]);
    expect(named[0]!.generic).toBeGreaterThan(0);
    const plan = async () => {
      const { rows } = await sql.raw(`explain (costs off) execute ${named[0]!.name}(7)`).execute(db.query);
      return JSON.stringify(rows);
    };
    expect(await plan()).toContain('Seq Scan');
    await sql`insert into grown select n, 'word ' || n from generate_series(1, 20000) n`.execute(db.query);
    await vi.waitFor(async () => expect(await plan()).toMatch(/Index|Bitmap/), { timeout: 10_000, interval: 100 });
    expect((await find(7)).rows).toEqual([{ word: 'word 7' }]);
  });

  test('is healthy, and can be maintained', async () => {
    await db.maintain();
    expect(await db.healthy()).toBe(true);
  });

  test('is not healthy once it is closed', async () => {
    const other = await open();
    await other.close();
    expect(await other.healthy()).toBe(false);
  });
}

async function raise(tx: Parameters<Parameters<Database['transaction']>[0]>[0], code: string): Promise<void> {
  await sql.raw(`do $$ begin raise exception 'planted' using errcode = '${code}'; end $$`).execute(tx);
}
