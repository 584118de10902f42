// backing.ts — what a deployment stands on: the embedded database or PostgreSQL, and perhaps a broker.
//
// Private servers of this run alone. Their CPU is part of every figure: whoever writes more to the database or sends more
// messages must not look cheaper for it.

import { postgresMissing, startPostgres, type Postgres } from './postgres.ts';
import type { Cpu } from './pairs.ts';
import { cpuOfTree } from './proc.ts';
import { rabbitmqProgram, startRabbitmq } from '../../test/support/rabbitmq.ts';
import { redisProgram, startRedis, type Broker } from '../../test/support/redis.ts';

export const engines = ['embedded', 'postgres', 'postgres+redis', 'postgres+rabbitmq'] as const;
export type Engine = (typeof engines)[number];

export type Backing = {
  postgres: Postgres | undefined;
  /** What the server and its workers must be told. */
  environment: Record<string, string>;
  pids: number[];
  cpu(): Pick<Cpu, 'postgres' | 'broker'>;
  stop(): Promise<void>;
};

const brokers: Partial<Record<Engine, { program: string | undefined; start(): Promise<Broker> }>> = {
  'postgres+redis': { program: redisProgram, start: startRedis },
  'postgres+rabbitmq': { program: rabbitmqProgram, start: startRabbitmq },
};

/** Starts database and broker; undefined where one of them is not installed (see `missingFor`). */
export async function openBacking(engine: Engine, options: { disk: boolean }): Promise<Backing | undefined> {
  const wanted = brokers[engine];
  if (wanted && !wanted.program) return undefined;
  const postgres = engine === 'embedded' ? undefined : await startPostgres(options);
  if (engine !== 'embedded' && !postgres) return undefined;
  const broker = await wanted?.start().catch(async (error: unknown) => {
    await postgres?.stop();
    throw error;
  });
  return {
    postgres,
    environment: { ...(postgres && { DATABASE_URL: postgres.url }), ...(broker && { QUEUE_URL: broker.url }) },
    pids: [postgres?.pid, broker?.pid()].filter((pid) => pid !== undefined),
    cpu: () => ({
      ...(postgres && { postgres: cpuOfTree(postgres.pid).allMs }),
      ...(broker && { broker: cpuOfTree(broker.pid()).allMs }),
    }),
    async stop() {
      await broker?.stop();
      await postgres?.stop();
    },
  };
}

/** Why an engine cannot be measured here. */
export function missingFor(engine: Engine): string {
  if (engine === 'postgres+redis' && !redisProgram) return 'redis-server not found; apt-get install redis-server';
  if (engine === 'postgres+rabbitmq' && !rabbitmqProgram)
    return 'rabbitmq-server not found; apt-get install rabbitmq-server';
  return postgresMissing;
}

/** Those that were asked for, or these. Names of other families' engines are passed over. */
export function enginesOf(asked: string[], usual: Engine[]): Engine[] {
  const known = engines.filter((each) => asked.includes(each));
  return known.length > 0 ? known : usual;
}
