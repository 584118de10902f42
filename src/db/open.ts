// open.ts — opens the database of either engine and gives it the shape of database.ts.

import { setTimeout as sleep } from 'node:timers/promises';
import { Kysely, PostgresDialect, sql } from 'kysely';
import type { Logger } from 'pino';
import type { Database } from './database.ts';
import { isOutdated, patience, type Engine } from './engine.ts';
import { migrate, waitForMigration } from './migrate.ts';
import { openPglite } from './pglite.ts';
import { openMigrationPool, openPostgres } from './postgres.ts';
import type { Schema } from './schema.ts';

export type DatabaseOptions = {
  /** postgres://…, or '' for the embedded one in `dataDir`. */
  url: string;
  dataDir: string;
  /** Connections to PostgreSQL. */
  pool: number;
  log: Logger;
  /** `serve` runs migrations, `worker` waits until somebody did. */
  migrations?: 'run' | 'wait';
  signal?: AbortSignal;
};

/** Opens, migrates, and returns when statements may run. Throws DatabaseRefusal with a sentence for the operator. */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { url, log, signal } = options;
  const engine = url === '' ? await openPglite(options) : await openPostgres(options);
  const db = databaseOn(engine);
  try {
    if (options.migrations === 'wait') await waitForMigration(db.query, log, { ...(signal && { signal }) });
    else if (url === '') await migrate(db.query, log);
    else await migrateAlone(url, log);
    return db;
  } catch (error) {
    await db.close();
    throw error;
  }
}

/** The database an open engine makes. Migrations are the caller's business. */
export function databaseOn(engine: Engine): Database {
  const query = new Kysely<Schema>({ dialect: new PostgresDialect({ pool: engine.pool }) });
  return {
    engine: engine.name,
    rowsPerStatement: engine.rowsPerStatement,
    query,
    transaction: (work, { timeoutMs } = {}) =>
      patience.run(timeoutMs ?? 0, () => repeatOnConflict(() => query.transaction().execute(work))),
    within: (timeoutMs, work) => patience.run(timeoutMs, () => work(query)),
    pages,
    listen: (channel, hear) => engine.listen(channel, hear),
    maintain: async () => {
      if (engine.name === 'pglite') await vacuum(query);
    },
    healthy: () =>
      patience
        .run(3000, () => sql`select 1`.execute(query))
        .then(
          () => true,
          () => false,
        ),
    close: async () => {
      await query.destroy();
      await engine.close();
    },
  };
}

async function migrateAlone(url: string, log: Logger): Promise<void> {
  const db = new Kysely<Schema>({ dialect: new PostgresDialect({ pool: openMigrationPool(url, log) }) });
  try {
    await migrate(db, log);
  } finally {
    await db.destroy();
  }
}

/** Two transactions that meet crosswise cost one of them its work: PostgreSQL asks to run it again. So does a migration. */
async function repeatOnConflict<T>(run: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await run();
    } catch (error) {
      const { code } = error as { code?: string };
      if ((code !== '40P01' && code !== '40001' && !isOutdated(error)) || tries > 5) throw error;
      await sleep(Math.random() * 20 * 2 ** tries); // spread, or the same two meet again
    }
  }
}

async function* pages<Row>(
  next: (after: Row | undefined, limit: number) => Promise<Row[]>,
  limit = 1000,
): AsyncIterable<Row> {
  for (let after: Row | undefined; ;) {
    const rows = await next(after, limit);
    yield* rows;
    after = rows.at(-1);
    if (rows.length < limit) return;
  }
}

/** Table by table, so that others get in between: each holds the event loop for some 30 ms when there is much to do. */
async function vacuum(query: Kysely<Schema>): Promise<void> {
  const busy = ['images', 'batches', 'events', 'renditions'];
  const quiet = ['files', 'products', 'deliveries', 'idempotency_keys', 'trash', 'workers', 'hosts'];
  for (const table of [...busy, ...quiet]) await sql`vacuum (analyze) ${sql.table(table)}`.execute(query);
}
