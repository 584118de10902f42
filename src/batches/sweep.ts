// sweep.ts — removes files that nobody uses, and objects that no row knows.
//
// A file in the trash may have found a new user (reuse): it is locked first, and only a *second* statement looks for users.
// In one statement the check would use the snapshot from before the lock: 43 of 60 races lost a file that was in use.

import { setImmediate } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Uses } from '../app.ts';
import { keyOf } from '../storage/storage.ts';

const filesAtOnce = 500;
const objectsAtOnce = 1_000;
const objectsRestMs = 86_400_000;

export type Swept = { files: number; bytes: number };

/** Sweeps until the trash holds nothing that may go, or `signal` aborts. */
export async function emptyTrash(app: Uses<'db' | 'storage'>, signal: AbortSignal): Promise<Swept> {
  const swept = { files: 0, bytes: 0 };
  while (!signal.aborted) {
    const { files, bytes } = await sweepSome(app);
    if (files === 0) break;
    swept.files += files;
    swept.bytes += bytes;
    await setImmediate();
  }
  return swept;
}

/** Empties up to 500 names of the trash; returns how many objects were removed. */
export async function sweepTrash(app: Uses<'db' | 'storage'>): Promise<number> {
  return (await sweepSome(app)).files;
}

async function sweepSome({ db, storage }: Uses<'db' | 'storage'>): Promise<Swept> {
  const gone = await db.transaction(async (tx) => {
    const { rows: waiting } = await sql<{ file: string }>`
      select file from trash order by file limit ${filesAtOnce} for update skip locked`.execute(tx);
    const names = waiting.map((row) => row.file);
    if (names.length === 0) return [];
    await sql`select name from files where name = any(${names}::text[]) order by name for update`.execute(tx);
    const { rows } = await sql<{ name: string; bytes: number }>`
      update files f set gone_at = now()
      where name = any(${names}::text[])
        and not exists (select 1 from renditions where file = f.name)
        and not exists (select 1 from images where source_file = f.name)
        and not exists (select 1 from batches where catalog = f.name)
      returning name, bytes`.execute(tx);
    const removed = new Set(rows.map((row) => row.name));
    const kept = names.filter((name) => !removed.has(name));
    if (kept.length > 0) await tx.deleteFrom('trash').where('file', 'in', kept).execute();
    return rows;
  });
  if (gone.length === 0) return { files: 0, bytes: 0 };
  const names = gone.map(({ name }) => name);
  // Names never return, so a removal that is repeated after a crash does no harm.
  await storage.remove(names.map(keyOf));
  await db.query.deleteFrom('files').where('name', 'in', names).execute();
  return { files: gone.length, bytes: gone.reduce((sum, { bytes }) => sum + Number(bytes), 0) };
}

/**
 * Compares storage with the table and removes objects older than `restMs` that no row knows: what a crash between storing
 * and committing left. Returns how many.
 */
export async function scrubStorage(
  { db, storage }: Uses<'db' | 'storage'>,
  signal: AbortSignal,
  restMs = objectsRestMs,
): Promise<number> {
  let removed = 0;
  for (let after: string | undefined; !signal.aborted;) {
    const objects = await storage.list(after, objectsAtOnce);
    const last = objects.at(-1);
    if (!last) break;
    after = last.key;
    const until = (await clockOf({ db })) - restMs;
    const old = objects.filter(({ at }) => at.getTime() < until);
    const names = new Map(old.map(({ key }) => [key.slice(key.indexOf('/') + 1), key]));
    if (names.size === 0) continue;
    const known = await db.query
      .selectFrom('files')
      .select('name')
      .where('name', 'in', [...names.keys()])
      .execute();
    for (const { name } of known) names.delete(name);
    await storage.remove([...names.values()]);
    removed += names.size;
  }
  return removed;
}

/** The database's time: a worker whose clock is a day ahead must not take what was stored just now for old. */
async function clockOf({ db }: Uses<'db'>): Promise<number> {
  const { rows } = await sql<{ now: Date }>`select now() as now`.execute(db.query);
  return rows[0]?.now.getTime() ?? 0;
}
