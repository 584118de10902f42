// servers.ts — the servers of a run, private to it: a PostgreSQL and a broker that may be killed, wiped and started again.

import { Redis } from 'ioredis';
import { Client } from 'pg';
import { Connection } from 'rabbitmq-client';
import { startPrivatePostgres, type PrivatePostgres } from '../test/support/private-postgres.ts';
import { startRabbitmq } from '../test/support/rabbitmq.ts';
import { startRedis, type Broker } from '../test/support/redis.ts';

export const profiles = ['embedded', 'postgres', 'redis', 'rabbitmq'] as const;
export type Profile = (typeof profiles)[number];

export type Servers = {
  /** Undefined where the database lives in the product. */
  database?: PrivatePostgres;
  broker?: Broker & { kind: 'redis' | 'rabbitmq'; wipe(): Promise<void> };
  /** Asks the database past every proxy; rejects while it is away, and where there is none. */
  ask<Row extends object>(statement: string, values?: unknown[]): Promise<Row[]>;
  stop(): Promise<void>;
};

export async function startServers(profile: Profile): Promise<Servers> {
  if (profile === 'embedded') {
    const ask = async () => {
      throw new Error('The embedded database is asked by its owner alone.');
    };
    return { ask, stop: async () => {} };
  }
  const database = await startPrivatePostgres();
  const ask: Servers['ask'] = async <Row extends object>(statement: string, values: unknown[] = []) => {
    const client = new Client({ connectionString: database.url, connectionTimeoutMillis: 2_000, query_timeout: 5_000 });
    client.on('error', () => {}); // it is killed now and then
    try {
      await client.connect();
      return (await client.query<Row>(statement, values)).rows;
    } finally {
      await client.end().catch(() => {});
    }
  };
  if (profile === 'postgres') return { database, ask, stop: database.stop };
  const broker = await (profile === 'redis' ? startRedis() : startRabbitmq()).catch(async (error: unknown) => {
    await database.stop();
    throw error;
  });
  const wipe = profile === 'redis' ? () => wipeRedis(broker) : () => wipeRabbitmq(broker, ask);
  return {
    database,
    broker: { ...broker, kind: profile, wipe },
    ask,
    async stop() {
      await Promise.all([database.stop(), broker.stop()]);
    },
  };
}

async function wipeRedis({ url }: Broker): Promise<void> {
  const client = new Redis(url, { maxRetriesPerRequest: 1 });
  client.on('error', () => {});
  await client.flushall().finally(() => client.disconnect());
}

/** Deletes the queues with all their tickets. */
async function wipeRabbitmq({ url }: Broker, ask: Servers['ask']): Promise<void> {
  const [row] = await ask<{ value: string }>(`select value from settings where name = 'instance'`);
  const connection = new Connection({ url, connectionTimeout: 2_000, retryLow: 200, retryHigh: 1_000 });
  connection.on('error', () => {});
  for (const lane of [0, 1, 2])
    await connection.queueDelete({ queue: `darkroom.${row?.value ?? ''}.${lane}` }).catch(() => {});
  await connection.close();
}
