// faults-migrations.test.ts — fault 60 of the reliability table: who migrates is killed in the midst of it, and two start at
// once. DARKROOM_TEST_ROUNDS=10 makes the long run. How a failed migration is rolled back stands in migrations.test.ts.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import { migrations } from '../src/db/migrations/index.ts';
import { databaseEngines, emptyPostgres } from './support/databases.ts';
import { rounds, tellFigures } from './support/figures.ts';
import { freePort, startProduct, startWorker, type Product } from './support/product.ts';

describe.skipIf(!databaseEngines.includes('postgres'))('an empty PostgreSQL', () => {
  test(
    `fault 60: a killed migration leaves nothing, and of two that start next one migrates (${rounds} rounds)`,
    { timeout: 120_000 + rounds * 60_000 },
    async () => {
      const dataDir = await mkdtemp(join(tmpdir(), 'darkroom-migrating-'));
      const seconds: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        const postgres = await emptyPostgres();
        const look = await connected(postgres.url);
        const tables = async () =>
          (await look.query(`select 1 from pg_tables where schemaname = 'public'`)).rowCount ?? 0;
        const env = { DATABASE_URL: postgres.url };
        const start = async () =>
          startProduct({ dataDir, port: await freePort(), env, args: ['serve', '--no-worker'] });

        await killedInTheMidst(postgres.url, { dataDir, env });
        await expect.poll(tables, { timeout: 30_000 }).toBeLessThanOrEqual(2); // the migrator's own, if any
        const began = performance.now();
        const started = await Promise.all([start(), start(), startWorker({ dataDir, port: await freePort(), env })]);
        seconds.push((performance.now() - began) / 1000);
        const { rows } = await look.query<{ name: string }>('select name from kysely_migration order by name');
        expect(rows.map(({ name }) => name)).toEqual(Object.keys(migrations));
        expect(await tables()).toBeGreaterThan(10);
        for (const each of started) expect(await each.end('SIGTERM')).toBe(0);
        await look.end();
        await postgres.drop();
      }
      tellFigures('fault 60, two servers and a worker ready after', { rounds, seconds, lost: 0 });
      await rm(dataDir, { recursive: true, force: true });
    },
  );
});

/** Starts a server, holds its migration up at the last of its tables, and kills it there. */
async function killedInTheMidst(url: string, options: { dataDir: string; env: Record<string, string> }): Promise<void> {
  const [obstacle, look] = await Promise.all([connected(url), connected(url)]);
  // Whoever makes the same table waits until it is known whether this one stays.
  await obstacle.query('begin');
  await obstacle.query('create table deliveries (id int)');
  let migrating: Product | undefined;
  const failed = startProduct({
    ...options,
    port: await freePort(),
    args: ['serve', '--no-worker'],
    onSpawn: (product) => (migrating = product),
  }).catch((error: unknown) => error);
  const waiting = () =>
    look.query(`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`);
  await expect.poll(async () => (await waiting()).rowCount, { timeout: 60_000, interval: 20 }).toBeGreaterThan(0);
  await sleep(100);
  await migrating?.end('SIGKILL');
  await failed;
  await obstacle.query('rollback');
  await Promise.all([obstacle.end(), look.end()]);
}

async function connected(connectionString: string): Promise<Client> {
  const client = new Client({ connectionString });
  await client.connect();
  return client;
}
