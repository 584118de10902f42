// databases.ts — a fresh, migrated database for a test, on either engine, in a fraction of a second.
//
// Each engine is migrated once and then copied: PGlite from a dump kept in node_modules/.cache (its name tells the
// migrations, so a changed one makes a new dump), PostgreSQL from a template database on the server of the run.

import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { pino } from 'pino';
import { describe, inject } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { databaseOn, openDatabase } from '../../src/db/open.ts';
import { dumpLite, openLite } from '../../src/db/pglite.ts';
import { openPostgres } from '../../src/db/postgres.ts';

export type EngineName = Database['engine'];
/** `url` opens the same database once more (PostgreSQL only; PGlite lives in this process and has ''). */
export type TestDatabase = Database & { url: string } & AsyncDisposable;

export const silent = pino({ level: 'silent' });
const postgresUrl = inject('postgresUrl');

/** The engines that are here, for `describe.each`; `onEachDatabase` also shows the one that is missing as skipped. */
export const databaseEngines: EngineName[] = postgresUrl ? ['pglite', 'postgres'] : ['pglite'];

export function onEachDatabase(tests: (engine: EngineName) => void): void {
  for (const engine of ['pglite', 'postgres'] as const)
    describe.skipIf(!databaseEngines.includes(engine))(`on ${engine}`, () => {
      tests(engine);
    });
}

/** A new database with all tables and no rows; closing it drops it. */
export async function openTestDatabase(engine: EngineName): Promise<TestDatabase> {
  if (engine === 'pglite') return disposable(databaseOn(await openLite({ dump: await pgliteDump() }, silent)), '');
  const { url, drop } = await copyOfTemplate();
  const db = databaseOn(await openPostgres({ url, pool: 10, log: silent }));
  return disposable({ ...db, close: () => db.close().then(drop) }, url);
}

/** An empty database on the server of the run, without tables. */
export async function emptyPostgres(): Promise<{ url: string; drop: () => Promise<void> }> {
  return createDatabase('template0');
}

function disposable(db: Database, url: string): TestDatabase {
  let closing: Promise<void> | undefined;
  const close = () => (closing ??= db.close());
  return { ...db, url, close, [Symbol.asyncDispose]: close };
}

/** Changes with whatever shapes the tables. */
const version = createHash('sha256')
  .update(
    [...globSync(join(import.meta.dirname, '../../src/db/migrations/*.ts'))]
      .toSorted()
      .map((file) => readFileSync(file, 'utf8'))
      .join(),
  )
  .update(readFileSync(join(import.meta.dirname, '../../package-lock.json')))
  .digest('hex')
  .slice(0, 12);

let dump: Promise<Blob> | undefined;
/** A migrated embedded database, for those who open it themselves. */
export function pgliteDump(): Promise<Blob> {
  return (dump ??= makeDump());
}

/** Lays a migrated embedded database into a data directory: the first start of a product takes seconds without it. */
export async function seedDataDir(dataDir: string): Promise<void> {
  await pgliteDump();
  const folder = join(dataDir, 'pg18');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await promisify(execFile)('tar', ['-xf', keptDump, '-C', folder]);
}

const cache = join(import.meta.dirname, '../../node_modules/.cache');
const keptDump = join(cache, `darkroom-pglite-${version}.tar`);

async function makeDump(): Promise<Blob> {
  if (existsSync(keptDump)) return new Blob([await readFile(keptDump)]);
  const folder = await mkdtemp(join(tmpdir(), 'darkroom-dump-'));
  try {
    const db = await openDatabase({ url: '', dataDir: folder, pool: 1, log: silent });
    await db.close();
    await mkdir(cache, { recursive: true });
    const made = await dumpLite(join(folder, 'pg18'));
    // Two files may do this at the same time; the last one wins with the same content.
    const partial = `${keptDump}.${randomBytes(6).toString('hex')}`;
    await writeFile(partial, Buffer.from(await made.arrayBuffer()), { flag: 'wx' });
    await rename(partial, keptDump);
    return made;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

let template: Promise<string> | undefined;
async function copyOfTemplate() {
  return createDatabase(await (template ??= makeTemplate()));
}

/** Test files run in processes of their own, so the first one makes it while the others wait at the advisory lock. */
async function makeTemplate(): Promise<string> {
  const name = `darkroom_template_${version}`;
  await onServer(async (client) => {
    await client.query('select pg_advisory_lock(4242)');
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [name]);
    if (rowCount) return;
    const raw = `${name}_raw`;
    await client.query(`drop database if exists ${raw} with (force)`);
    await client.query(`create database ${raw} template template0`);
    const db = await openDatabase({ url: urlOf(raw), dataDir: '', pool: 1, log: silent });
    await db.close();
    await client.query(`alter database ${raw} rename to ${name}`); // under its name it is always whole
  });
  return name;
}

async function createDatabase(from: string) {
  const name = `darkroom_test_${randomBytes(8).toString('hex')}`;
  await onServer((client) => client.query(`create database ${name} template ${from}`));
  const drop = async () => {
    await onServer((client) => client.query(`drop database if exists ${name} with (force)`));
  };
  return { url: urlOf(name), drop };
}

async function onServer<T>(work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: postgresUrl });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

function urlOf(database: string): string {
  const url = new URL(postgresUrl);
  url.pathname = `/${database}`;
  return url.href;
}
