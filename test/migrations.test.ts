// migrations.test.ts — a database is brought up to this release as a whole, or opened not at all.

import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import type { Migration } from 'kysely/migration';
import { afterEach, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import { migrate, waitForMigration } from '../src/db/migrate.ts';
import { migrations } from '../src/db/migrations/index.ts';
import { openDatabase } from '../src/db/open.ts';
import { emptyPostgres, onEachDatabase, openTestDatabase, silent, type TestDatabase } from './support/databases.ts';

const doing = (...statements: string[]): Migration => ({
  async up(db) {
    for (const statement of statements) await sql.raw(statement).execute(db);
  },
});
const next = { ...migrations, '9998-next': doing('create table newer (id int)') };

onEachDatabase((engine) => {
  let db: TestDatabase;
  beforeEach(async () => {
    db = await openTestDatabase(engine);
  });
  afterEach(() => db.close());

  const tables = async () =>
    (
      await sql<{ name: string }>`select tablename as name from pg_tables where schemaname = 'public'`.execute(db.query)
    ).rows.map(({ name }) => name);

  test('what is already migrated stays as it is', async () => {
    const before = await tables();
    await migrate(db.query, silent);
    expect(await tables()).toEqual(before);
  });

  test('what is missing runs', async () => {
    await migrate(db.query, silent, next);
    expect(await tables()).toContain('newer');
  });

  test('a migration that fails changes nothing and is refused by name', async () => {
    const broken = { ...next, '9999-broken': doing('create table half (id int)', 'select nonsense') };
    const migrating = migrate(db.query, silent, broken);
    await expect(migrating).rejects.toMatchObject({ name: 'DatabaseRefusal' });
    await expect(migrating).rejects.toThrow('Migration 9999-broken failed and was rolled back, nothing has changed');
    expect(await tables()).not.toContain('half');
    expect(await tables()).not.toContain('newer');
    await migrate(db.query, silent); // and the release before starts again
  });

  test('a migration that cannot get its locks tries again', async () => {
    let tries = 0;
    const blocked: Migration = {
      async up(tx) {
        tries += 1;
        if (tries < 3) await sql`do $$ begin raise exception 'canceling' using errcode = '55P03'; end $$`.execute(tx);
      },
    };
    await migrate(db.query, silent, { ...next, '9999-blocked': blocked });
    expect(tries).toBe(3);
    expect(await tables()).toContain('newer');
  });

  test('a release older than the tables is refused', async () => {
    await migrate(db.query, silent, next);
    const last = Object.keys(migrations).at(-1);
    const sentence = `migrated by a newer release of Darkroom (9998-next); this one knows up to ${last}`;
    await expect(migrate(db.query, silent)).rejects.toThrow(sentence);
    await expect(waitForMigration(db.query, silent)).rejects.toThrow(sentence);
  });

  test('a worker waits until somebody has migrated, and says so', async () => {
    const info = vi.fn<() => void>();
    let done = false;
    const waiting = waitForMigration(db.query, { ...silent, info } as typeof silent, { list: next, everyMs: 10 });
    const ended = waiting.then(() => (done = true));
    await vi.waitFor(() => expect(info).toHaveBeenCalledOnce());
    expect(done).toBe(false);
    await migrate(db.query, silent, next);
    await ended;
    expect(info).toHaveBeenCalledOnce();
  });

  test('a worker that waits can be stopped', async () => {
    const stop = new AbortController();
    const waiting = waitForMigration(db.query, silent, { list: next, everyMs: 60_000, signal: stop.signal });
    setTimeout(() => stop.abort(), 20);
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('the embedded database', () => {
  let dataDir: string;
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'darkroom-migration-test-'));
  });
  afterEach(() => rm(dataDir, { recursive: true, force: true }));
  const open = () => openDatabase({ url: '', dataDir, pool: 1, log: silent });

  test('is made from nothing, keeps its rows, and refuses a second owner', async () => {
    const first = await open();
    await first.query.insertInto('settings').values({ name: 'kept', value: '1' }).execute();
    await expect(open()).rejects.toThrow(`in use by process ${process.pid}.`);
    await first.close();
    const second = await open();
    expect(await second.query.selectFrom('settings').selectAll().execute()).toEqual([{ name: 'kept', value: 1 }]);
    await second.close();
  });

  test.each(['pg18', 'pg17'])('of another major of PostgreSQL in %s is refused, and unlocked again', async (folder) => {
    await mkdir(join(dataDir, folder));
    await writeFile(join(dataDir, folder, 'PG_VERSION'), '17\n');
    await expect(open()).rejects.toThrow(
      /written by PostgreSQL 17 .* embeds 18, .*: start the release that wrote it, or set DATA_DIR to another folder/,
    );
    expect(await readdir(dataDir)).not.toContain(folder === 'pg18' ? 'pg17' : 'pg18');
    await rm(join(dataDir, folder), { recursive: true });
    await (await open()).close();
  });
});

describe.skipIf(!inject('postgresUrl'))('an empty PostgreSQL', () => {
  let server: Awaited<ReturnType<typeof emptyPostgres>>;
  beforeEach(async () => {
    server = await emptyPostgres();
  });
  afterEach(() => server.drop());
  const open = (kind: 'run' | 'wait') =>
    openDatabase({ url: server.url, dataDir: '', pool: 2, log: silent, migrations: kind });

  test('is migrated once by four that start together, while a worker waits', async () => {
    const opened = await Promise.all([open('wait'), open('run'), open('run'), open('run'), open('run')]);
    for (const db of opened) {
      expect(await db.query.selectFrom('images').selectAll().execute()).toEqual([]);
      await db.close();
    }
  });
});
