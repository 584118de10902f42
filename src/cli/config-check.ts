// config-check.ts — `darkroom config check`: shows the settings in force and tries what they point to.
//
// Nothing is migrated and nothing is left behind. A database that another Darkroom holds is a database that works.

import { randomBytes } from 'node:crypto';
import { access, constants, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { pino, type Logger } from 'pino';
import type { Config, ConfigRow } from '../config.ts';
import type { Database } from '../db/database.ts';
import { openDatabase } from '../db/open.ts';
import { openQueue } from '../queue/index.ts';
import type { Queue } from '../queue/queue.ts';
import { openStorage } from '../storage/index.ts';
import { keyOf, type Storage } from '../storage/storage.ts';
import { missingPackage } from './missing.ts';
import { exitCodes, type Session } from './session.ts';
import { readSettings } from './settings.ts';

/** Something that was tried, and how it went. */
export type Check = { name: string; ok: boolean; detail: string };

const log = pino({ level: 'silent' });

export async function checkConfig(session: Session): Promise<number> {
  const { config, rows } = readSettings(session);
  session.out.write(`${table(rows)}\n`);
  return tellChecks(session, await tryServers(config));
}

/** Tries the database, the queue and the storage that the settings point to. */
export async function tryServers(config: Config): Promise<Check[]> {
  return [...(await checkDatabase(config)), await checkQueue(config), await checkStorage(config)];
}

/** A line each on stdout; resolves the exit code. */
export function tellChecks(session: Session, checks: Check[]): number {
  for (const { name, ok, detail } of checks)
    session.out.write(`${ok ? 'ok  ' : 'FAIL'}  ${name.padEnd(10)}  ${detail}\n`);
  return checks.every(({ ok }) => ok) ? exitCodes.ok : exitCodes.failed;
}

function table(rows: ConfigRow[]): string {
  const cells = rows.map((row) => [row.name, shown(row, row.value), row.origin, shown(row, row.initial)]);
  const lines = [['name', 'value', 'source', 'default'], ...cells];
  const widths = [0, 1, 2].map((column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map(
      (line) =>
        `${line
          .map((cell, at) => cell.padEnd(widths[at] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

/** Of a secret that is an address only the password and the query are secret; of any other, all. */
function shown({ secret }: ConfigRow, value: string): string {
  if (value === '') return '-';
  if (!secret) return value;
  if (!/^[a-z][a-z0-9+.-]*:/i.test(value)) return '***';
  return value.replace(/(:\/\/[^/@]*?):[^/@]*@/, '$1:***@').replace(/\?.*$/, '?***');
}

async function checkDatabase(config: Config): Promise<Check[]> {
  const { databaseUrl: url, dataDir } = config;
  const name = 'database';
  if (url === '' && !(await exists(dataDir)))
    return [{ name, ok: true, detail: `embedded; the first start makes ${dataDir}` }];
  try {
    return await tryDatabase(url, dataDir);
  } catch (error) {
    const { message } = error as Error;
    const ok = url === '' && / is in use by process \d+/.test(message);
    return [{ name, ok, detail: message || String((error as { code?: string }).code) }];
  }
}

async function tryDatabase(url: string, dataDir: string): Promise<Check[]> {
  const giveUp = AbortSignal.timeout(500);
  const name = 'database';
  let db: Database;
  try {
    const { log: heard, complaint } = url === '' ? { log, complaint: [] } : impatientLog();
    const opening = openDatabase({ url, dataDir, pool: 1, log: heard, migrations: 'wait', signal: giveUp });
    db = await Promise.race([opening, ...complaint]);
  } catch (error) {
    if ((error as Error).name !== 'AbortError' && (error as Error).name !== 'TimeoutError') throw error;
    const how = '`darkroom serve` or `darkroom migrate` brings it up to date';
    return [{ name, ok: true, detail: `reached; ${how}` }];
  }
  try {
    const { rows } = await sql<{ server_version: string }>`show server_version`.execute(db.query);
    const begun = performance.now();
    await sql`select 1`.execute(db.query);
    const ms = (performance.now() - begun).toFixed(1);
    const engine = db.engine === 'pglite' ? `embedded in ${dataDir}, PostgreSQL` : 'PostgreSQL';
    return [
      { name, ok: true, detail: `${engine} ${rows[0]?.server_version ?? '?'}, ${ms} ms` },
      { name: 'migrations', ok: true, detail: 'up to date' },
    ];
  } finally {
    await db.close();
  }
}

/** A start waits for a server that does not answer yet; a check takes the first warning for the answer. */
function impatientLog(): { log: Logger; complaint: Promise<never>[] } {
  const { promise, reject } = Promise.withResolvers<never>();
  const write = (line: string): void => {
    const { host, port, reason, msg } = JSON.parse(line) as Record<string, unknown>;
    reject(new Error(`PostgreSQL at ${String(host)}:${String(port)} does not answer: ${String(reason ?? msg)}`));
  };
  return { log: pino({ level: 'warn' }, { write }), complaint: [promise] };
}

async function checkQueue({ queueUrl }: Config): Promise<Check> {
  const name = 'queue';
  try {
    const queue = await openQueue({ url: queueUrl, instance: 'check', log });
    try {
      const begun = performance.now();
      const { ok, detail } = await answerOf(queue);
      const works = queueUrl === '' ? 'the database' : `${queue.name}, ${(performance.now() - begun).toFixed(0)} ms`;
      return { name, ok, detail: [...(ok ? [works] : []), ...(detail === undefined ? [] : [detail])].join('; ') };
    } finally {
      await queue.close();
    }
  } catch (error) {
    return { name, ok: false, detail: missingPackage(error) ?? (error as Error).message };
  }
}

/** A broker is connected to in the background: it has a moment to answer for the first time. */
async function answerOf(queue: Queue): ReturnType<Queue['healthy']> {
  for (const until = performance.now() + 3_000; ; await sleep(50)) {
    const found = await queue.healthy();
    if (found.ok || performance.now() > until) return found;
  }
}

async function checkStorage({ storageUrl: url, dataDir, diskFloor }: Config): Promise<Check> {
  const name = 'storage';
  try {
    if (url === '' && !(await exists(dataDir))) {
      await access(dirname(resolve(dataDir)), constants.W_OK);
      return { name, ok: true, detail: `disk: the first start makes ${dataDir}` };
    }
    const storage = await openStorage({ url, dataDir, diskFloor, log });
    try {
      return { name, ...(await tryStorage(storage)) };
    } finally {
      await storage.close();
    }
  } catch (error) {
    return { name, ok: false, detail: missingPackage(error) ?? (error as Error).message };
  }
}

/** An object is written under another name, renamed, read and removed: all that work will do. */
async function tryStorage(storage: Storage): Promise<{ ok: boolean; detail: string }> {
  const key = keyOf(`${randomBytes(16).toString('hex').slice(0, 26)}.txt`);
  const begun = performance.now();
  await storage.put(key, Buffer.from('darkroom config check'), { type: 'text/plain' });
  const found = await storage.open(key);
  found?.body.destroy();
  await storage.remove([key]);
  const ms = (performance.now() - begun).toFixed(0);
  const room = await storage.room();
  if (!found) return { ok: false, detail: `${storage.name}: what was written could not be read` };
  if (!room.ok) return { ok: false, detail: `${storage.name}: ${room.detail ?? 'no room'}` };
  return { ok: true, detail: `${storage.name}: written, renamed, read and removed in ${ms} ms` };
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
