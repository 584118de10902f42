// engine.ts — what open.ts needs from an engine: a pool for statements, a way to hear notifications, an end.
//
// Statements go through a pool that is steadier than the driver's: a client that dies while somebody holds it would end
// the process (an 'error' event nobody hears), and a statement without an answer would hold its connection for good.

import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate as breath } from 'node:timers/promises';
import type { PostgresPool, PostgresPoolClient } from 'kysely';
import { types, type Pool, type PoolClient, type QueryConfig, type QueryResult } from 'pg';
import type { Logger } from 'pino';
import type { Channel } from './database.ts';
import { openStatements, type Statements } from './statements.ts';

// bigint: counters, byte sizes and event numbers stay far below 2^53.
types.setTypeParser(20, Number);

export type Engine = {
  name: 'pglite' | 'postgres';
  rowsPerStatement: number;
  pool: PostgresPool;
  listen(channel: Channel, hear: (payload: string) => void): Promise<() => Promise<void>>;
  /** Called after the pool has ended. */
  close(): Promise<void>;
};

/** Milliseconds after which a statement begun inside counts as unanswered. */
export const patience = new AsyncLocalStorage<number>();

type Steadiness = {
  log: Logger;
  onlyConnection: boolean;
  /** Where nobody said how patient they are. */
  unansweredMs?: number;
};

/**
 * Wraps the driver's pool. An unanswered statement ends its connection, so that nobody queues behind it. With
 * `onlyConnection` a client is never thrown away: PGlite is that connection and has no second one.
 */
export function steadyPool(pool: Pool, options: Steadiness): PostgresPool {
  pool.on('error', (error) => options.log.warn({ err: error }, 'a database connection was lost'));
  pool.on('connect', (client) => {
    // The statement in flight already rejects with this error; without a listener it would also end the process.
    client.on('error', (error: Error) => options.log.debug({ err: error }, 'a database connection was lost'));
  });
  const statements = openStatements();
  return {
    options: pool.options,
    end: () => pool.end(),
    connect: async () => {
      const client = await pool.connect();
      const lent = lend(client, statements, options);
      if (statements.plansAreOld(client)) await forgetPlans(lent);
      return lent;
    },
  };
}

async function forgetPlans(client: PostgresPoolClient): Promise<void> {
  try {
    await client.query('discard plans', []);
  } catch (error) {
    client.release(true);
    throw error;
  }
}

const longestTurnMs = 20;
let turnedAt = 0;

/** PGlite works within the turn of the event loop in which it is asked: statement upon statement, and no request gets in. */
async function letOthersIn(): Promise<void> {
  if (performance.now() - turnedAt < longestTurnMs) return;
  await breath();
  turnedAt = performance.now();
}

class Unanswered extends Error {
  override readonly name = 'Unanswered';
}

function lend(
  client: PoolClient,
  statements: Statements,
  { onlyConnection, unansweredMs }: Steadiness,
): PostgresPoolClient {
  let unanswered: Unanswered | undefined;
  let outdated = false;
  const query = async (text: string, values: unknown[]) => {
    // The rollback that follows would otherwise hide why.
    if (unanswered) throw unanswered;
    if (onlyConnection) await letOthersIn();
    const timeoutMs = onlyConnection ? undefined : patience.getStore() || unansweredMs;
    try {
      const name = statements.nameOf(text, values);
      return await answerOf(client, { text, values, ...(name !== undefined && { name }) }, timeoutMs);
    } catch (error) {
      if (error instanceof Unanswered) unanswered = error;
      outdated ||= isOutdated(error);
      // The driver's stack ends at its socket; from here it leads to who asked.
      Error.captureStackTrace(error as Error);
      throw error;
    }
  };
  return {
    // Kysely's type also covers cursors, which this house does not use.
    query: query as unknown as PostgresPoolClient['query'],
    release: (destroy?: boolean) =>
      client.release(!onlyConnection && (destroy || outdated || unanswered !== undefined)),
  };
}

/** A migration changed what a known statement returns; a connection that does not know it yet has no trouble. */
export function isOutdated(error: unknown): boolean {
  const { code, message } = error as { code?: string; message?: string };
  return code === '0A000' && /cached plan/.test(message ?? '');
}

/**
 * By callback and with a timer of our own. With the driver's promise or timeout every result lives until the next full
 * collection: a million rows of output grew this process by 200 MB.
 */
function answerOf(client: PoolClient, query: QueryConfig, timeoutMs: number | undefined): Promise<QueryResult> {
  return new Promise((resolve, reject) => {
    const late = () => reject(new Unanswered(`timeout: no answer from the database within ${timeoutMs} ms`));
    const timer = timeoutMs ? setTimeout(late, timeoutMs) : undefined;
    client.query(query, (error: Error | undefined, result) => {
      clearTimeout(timer);
      if (error) reject(error);
      else resolve(result);
    });
  });
}
