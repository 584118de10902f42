// pglite.ts — the embedded engine: PostgreSQL compiled into this process, one connection, behind the same pool.
//
// It blocks the event loop while it works, so everyone keeps statements small (`rowsPerStatement`). It never forces data
// to disk: it survives kill -9 of the process, not a power cut. One process may open the folder: lock.ts sees to that.
// All statements go through the pool, never through PGlite's own functions: those would break into an open transaction.

import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PGlite } from '@electric-sql/pglite';
import { Pool } from 'pg';
import type { Logger } from 'pino';
import { DatabaseRefusal, type Channel } from './database.ts';
import { steadyPool, type Engine } from './engine.ts';
import { lockFolder } from './lock.ts';

const major = '18';
const rowsPerStatement = 500;

const settings = [
  // 370 -> 245 MB of memory; the operating system caches the files anyway.
  'shared_buffers=16MB',
  // A fourth of the usual sample: analyzing 100,000 images holds the event loop for 45 ms instead of 210.
  'default_statistics_target=25',
];

export type PgliteOptions = { dataDir: string; log: Logger };

/** Whether there has been a first start in this folder. */
export function holdsDatabase(dataDir: string): boolean {
  return existsSync(join(dataDir, `pg${major}`));
}

/** Opens `<dataDir>/pg18`, made at the first start. Refuses a folder that another process or another major holds. */
export async function openPglite({ dataDir, log }: PgliteOptions): Promise<Engine> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const unlock = await lockFolder(dataDir);
  try {
    const folder = join(dataDir, `pg${major}`);
    await refuseOtherMajor(dataDir);
    const engine = await openLite(folder, log);
    return {
      ...engine,
      close: async () => {
        await engine.close();
        await unlock();
      },
    };
  } catch (error) {
    await unlock();
    throw error;
  }
}

/** The engine without the lock: in a folder, or in memory from the dump of another one. */
export async function openLite(from: string | { dump: Blob }, log: Logger): Promise<Engine> {
  const { PGlite } = await import('@electric-sql/pglite');
  const { createPgConfig } = await import('@electric-sql/pglite/node-postgres');
  const lite = await PGlite.create({
    ...(typeof from === 'string' ? { dataDir: from } : { loadDataDir: from.dump }),
    startParams: [...PGlite.defaultStartParams, ...settings.flatMap((each) => ['-c', each])],
  });
  const { connection, user, database } = createPgConfig(lite); // one pool for each of these
  const options = {
    connection, // the type of Pool does not know it, but hands it on
    user,
    database,
    max: 1,
    idleTimeoutMillis: 0,
    connectionTimeoutMillis: 10_000, // turns `query` inside a transaction, which would wait for ever, into an error
  };
  const pool = new Pool(options);
  return {
    name: 'pglite',
    rowsPerStatement,
    pool: steadyPool(pool, { log, onlyConnection: true }),
    listen: listenOn(lite, pool),
    close: () => lite.close(),
  };
}

/** Everything in the folder as a file, from which `openLite` opens again. */
export async function dumpLite(folder: string): Promise<Blob> {
  const { PGlite } = await import('@electric-sql/pglite');
  const lite = await PGlite.create(folder);
  try {
    return await lite.dumpDataDir('none');
  } finally {
    await lite.close();
  }
}

function listenOn(lite: PGlite, pool: Pool): Engine['listen'] {
  const heard = new Set<Channel>();
  return async (channel, hear) => {
    const stop = lite.onNotification((name, payload) => {
      if (name === channel) hear(payload);
    });
    if (!heard.has(channel)) {
      const client = await pool.connect();
      await client.query(`listen ${channel}`).finally(() => client.release());
      heard.add(channel);
    }
    return async () => stop();
  };
}

/** Each major has a folder of its own. Where only another's lies, an empty database beside it would look like a loss. */
async function refuseOtherMajor(dataDir: string): Promise<void> {
  const folders = (await readdir(dataDir)).filter((name) => /^pg\d+$/.test(name));
  const folder = join(dataDir, folders.find((name) => name === `pg${major}`) ?? folders[0] ?? `pg${major}`);
  const found = await readFile(join(folder, 'PG_VERSION'), 'utf8').catch(() => undefined);
  if (found === undefined || found.trim() === major) return;
  throw new DatabaseRefusal(
    `${folder} was written by PostgreSQL ${found.trim()} and this release embeds ${major}, which cannot read it: ` +
      'start the release that wrote it, or set DATA_DIR to another folder to begin anew.',
  );
}
