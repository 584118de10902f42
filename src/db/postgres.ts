// postgres.ts — the engine PostgreSQL: a pool with limits on every wait, and one client of its own that listens.

import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Pool } from 'pg';
import type { Logger } from 'pino';
import { DatabaseRefusal, type Channel } from './database.ts';
import { steadyPool, type Engine } from './engine.ts';

const oldest = 15;
const rowsPerStatement = 2000;
/** Above the server's own 30 s: only a connection that no longer answers at all gets that far. */
const unansweredMs = 35_000;

export type PostgresOptions = { url: string; pool: number; log: Logger; reachWithinMs?: number };

/** Connects; waits a while for a server that is just starting, refuses at once what waiting cannot heal. */
export async function openPostgres(options: PostgresOptions): Promise<Engine> {
  const { url, log } = options;
  await checkServer(url, log, options.reachWithinMs ?? 30_000);
  const pool = new Pool({
    ...connection(url),
    max: options.pool,
    statement_timeout: 30_000,
    lock_timeout: 5000,
    idle_in_transaction_session_timeout: 15_000,
  });
  const listener = listenOn(url, log);
  return {
    name: 'postgres',
    rowsPerStatement,
    pool: steadyPool(pool, { log, onlyConnection: false, unansweredMs }),
    listen: (channel, hear) => listener.listen(channel, hear),
    close: () => listener.stop(),
  };
}

/** One connection without limit on statements, for migrations; a lock it cannot get in 5 s must not dam the queue. */
export function openMigrationPool(url: string, log: Logger) {
  const pool = new Pool({ ...connection(url), max: 1, lock_timeout: 5000 });
  return steadyPool(pool, { log, onlyConnection: false });
}

function connection(url: string) {
  return { connectionString: url, connectionTimeoutMillis: 5000, keepAlive: true, application_name: 'darkroom' };
}

async function checkServer(url: string, log: Logger, withinMs: number): Promise<void> {
  const until = Date.now() + withinMs;
  for (let tries = 0; ; tries++) {
    const client = new Client(connection(url));
    client.on('error', () => {}); // each failure also rejects the call that met it
    try {
      await client.connect();
      const { rows } = await client.query<{ version: number }>(
        `select current_setting('server_version_num')::int / 10000 as version`,
      );
      const version = rows[0]?.version ?? 0;
      if (version < oldest)
        throw new DatabaseRefusal(`PostgreSQL ${version} is too old: Darkroom needs ${oldest} or newer.`);
      return;
    } catch (error) {
      if (error instanceof DatabaseRefusal) throw error;
      const { host, port } = client;
      const reason = (error as Error).message || (error as NodeJS.ErrnoException).code || 'no answer';
      if (!mayHeal(error) || Date.now() >= until)
        throw new DatabaseRefusal(
          `PostgreSQL at ${host}:${port} cannot be used: ${reason}. Check DATABASE_URL, and that the server runs.`,
          { cause: error },
        );
      if (tries === 0) log.warn({ host, port, reason }, 'PostgreSQL does not answer yet; trying again');
      await sleep(Math.min(500, Math.max(0, until - Date.now())));
    } finally {
      await client.end().catch(() => {});
    }
  }
}

/** SQLSTATEs are the server's word: only "starting up" and "too many connections" pass by themselves. */
function mayHeal(error: unknown): boolean {
  const { code } = error as { code?: string };
  return !/^[0-9A-Z]{5}$/.test(code ?? '') || code === '57P03' || code === '53300' || !/\d/.test(code ?? '');
}

/** One client hears all channels. When it is lost it comes back by itself; what was said meanwhile is found by polling. */
function listenOn(url: string, log: Logger) {
  const hearers = new Map<Channel, Set<(payload: string) => void>>();
  const stopped = new AbortController();
  let client: Client | undefined;
  let alive: Promise<void> | undefined;

  async function connect(): Promise<Client> {
    const next = new Client({ ...connection(url), query_timeout: 5000 });
    next.on('notification', ({ channel, payload }) => {
      for (const hear of hearers.get(channel as Channel) ?? []) hear(payload ?? '');
    });
    next.on('error', () => {}); // 'end' follows
    await next.connect();
    for (const channel of hearers.keys()) await next.query(`listen ${channel}`);
    client = next;
    return next;
  }

  async function keepListening(first: Client): Promise<void> {
    let current: Client | undefined = first;
    for (let waitMs = 200; !stopped.signal.aborted;) {
      if (current) await untilLost(current, stopped.signal);
      client = undefined;
      if (stopped.signal.aborted) break;
      if (current) log.warn('the connection that hears notifications was lost; polling until it is back');
      current = await connect().catch(() => undefined);
      waitMs = current ? 200 : Math.min(waitMs * 2, 5000);
      if (!current) await sleep(waitMs, undefined, { signal: stopped.signal }).catch(() => {});
    }
    await current?.end().catch(() => {});
  }

  return {
    async listen(channel: Channel, hear: (payload: string) => void) {
      const known = hearers.get(channel);
      const group = known ?? new Set();
      hearers.set(channel, group.add(hear));
      if (!alive) {
        alive = keepListening(await connect());
      } else if (!known) {
        // Fails only while the connection is down; coming back, it listens to every channel of `hearers`.
        await client?.query(`listen ${channel}`).catch(() => {});
      }
      return async () => void group.delete(hear);
    },
    async stop() {
      stopped.abort();
      await alive;
    },
  };
}

/** A half-open socket says nothing for ever, so it is asked now and then. */
async function untilLost(client: Client, signal: AbortSignal): Promise<void> {
  const lost = Promise.withResolvers<void>();
  client.once('end', lost.resolve);
  signal.addEventListener('abort', () => lost.resolve(), { once: true });
  const pulse = setInterval(() => {
    client.query('select 1').catch(() => {
      lost.resolve();
      client.end().catch(() => {});
    });
  }, 10_000);
  await lost.promise;
  clearInterval(pulse);
}
