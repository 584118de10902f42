// migrate.ts — brings the tables up to this release, or says in a sentence why not.
//
// `serve` migrates, `worker` waits for it. Forward only; whatever fails is rolled back as a whole.

import { setTimeout as sleep } from 'node:timers/promises';
import { sql, type Kysely } from 'kysely';
import { Migrator, type Migration } from 'kysely/migration';
import type { Logger } from 'pino';
import { DatabaseRefusal } from './database.ts';
import { migrations } from './migrations/index.ts';

export type Migrations = Record<string, Migration>;

/** Runs what is missing, in one transaction under the session advisory lock of Kysely's Migrator. */
export async function migrate<S>(db: Kysely<S>, log: Logger, list: Migrations = migrations): Promise<void> {
  for (let tries = 1; ; tries++) {
    refuseNewerSchema(await applied(db), list);
    const migrator = new Migrator({ db, provider: { getMigrations: async () => list } });
    const { error, results = [] } = await migrator.migrateToLatest();
    for (const { migrationName, status } of results)
      if (status === 'Success') log.info({ migration: migrationName }, 'migrated');
    if (error === undefined) return;
    // Another start may be migrating, or a long transaction stands in the way; neither is a reason to give up.
    if (isLockTimeout(error) && tries < 60) {
      log.warn('the migration waits for a lock');
      continue;
    }
    const failed = results.find(({ status }) => status === 'Error')?.migrationName;
    throw new DatabaseRefusal(
      `${failed ? `Migration ${failed}` : 'The migration'} failed and was rolled back, nothing has changed: ` +
        `${(error as Error).message}. Start the previous release again, or report this.`,
      { cause: error },
    );
  }
}

/** Resolves once another process has migrated to this release. */
export async function waitForMigration<S>(
  db: Kysely<S>,
  log: Logger,
  options: { signal?: AbortSignal; everyMs?: number; list?: Migrations } = {},
): Promise<void> {
  const { signal, everyMs = 1000, list = migrations } = options;
  for (let told = false; ; told = true) {
    const done = await applied(db);
    refuseNewerSchema(done, list);
    const missing = Object.keys(list).filter((name) => !done.includes(name));
    if (missing.length === 0) return;
    if (!told) log.info({ missing }, 'waiting for the migration: `darkroom serve` runs it');
    await sleep(everyMs, undefined, { signal });
  }
}

async function applied<S>(db: Kysely<S>): Promise<string[]> {
  const { rows: tables } = await sql<{
    there: boolean;
  }>`select to_regclass('kysely_migration') is not null as there`.execute(db);
  if (!tables[0]?.there) return [];
  const { rows } = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(db);
  return rows.map(({ name }) => name);
}

function refuseNewerSchema(done: string[], list: Migrations): void {
  const unknown = done.filter((name) => !(name in list));
  if (unknown.length === 0) return;
  throw new DatabaseRefusal(
    `The database was migrated by a newer release of Darkroom (${unknown.join(', ')}); this one knows up to ` +
      `${Object.keys(list).at(-1)}. Start that release or a newer one.`,
  );
}

function isLockTimeout(error: unknown): boolean {
  return (error as { code?: string }).code === '55P03';
}
