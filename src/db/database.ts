// database.ts — what the rest of the house may ask of the database, whichever engine runs it.
//
// Two engines, one meaning: PGlite (PostgreSQL compiled into this process, one connection, on the event loop) and
// PostgreSQL. What differs is told as data (`engine`, `rowsPerStatement`); no verb is "not supported" anywhere.

import type { Kysely, Transaction } from 'kysely';
import type { Schema } from './schema.ts';

export type Channel = 'work' | 'events' | 'running' | 'deliveries';
export type Tx = Transaction<Schema>;
/** Either the pool or an open transaction. Inside a transaction only `tx` may be used: on one connection the pool hangs. */
export type Queries = Kysely<Schema>;

export type Database = {
  readonly engine: 'pglite' | 'postgres';
  /** Most rows one statement may insert or update: PGlite blocks the event loop (500), PostgreSQL 2,000. */
  readonly rowsPerStatement: number;
  readonly query: Queries;
  /** Runs `work` in one transaction; deadlocks and serialization failures (40P01, 40001) repeat it, up to five times.
   * With `timeoutMs` a connection that leaves a statement unanswered that long is given up (half-open sockets). */
  transaction<T>(work: (tx: Tx) => Promise<T>, options?: { timeoutMs?: number }): Promise<T>;
  /** Runs `work` statement by statement, each given up after `timeoutMs` as in a transaction. */
  within<T>(timeoutMs: number, work: (query: Queries) => Promise<T>): Promise<T>;
  /** Keyset pages: `next(last, limit)` until a page comes back short. Never a cursor: on one connection it would hang. */
  pages<Row>(next: (after: Row | undefined, limit: number) => Promise<Row[]>, limit?: number): AsyncIterable<Row>;
  /** Hears notifications until the returned function is called. They are hints: whoever listens also polls. */
  listen(channel: Channel, hear: (payload: string) => void): Promise<() => Promise<void>>;
  /** VACUUM (ANALYZE) of the busy tables; PGlite has no autovacuum. Nothing on PostgreSQL. */
  maintain(): Promise<void>;
  healthy(): Promise<boolean>;
  close(): Promise<void>;
};

/** Why the database cannot be opened: one sentence for the operator, after which the process ends. */
export class DatabaseRefusal extends Error {
  override readonly name = 'DatabaseRefusal';
}
