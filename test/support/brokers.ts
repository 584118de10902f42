// brokers.ts — the brokers that tests use: how each is started, and how everything it knows is taken from it.

import { Redis } from 'ioredis';
import { Connection } from 'rabbitmq-client';
import { givenRabbitmq, rabbitmqProgram, startRabbitmq } from './rabbitmq.ts';
import { givenRedis, redisProgram, startRedis, type Broker } from './redis.ts';

export type BrokerEngine = {
  name: 'Redis' | 'RabbitMQ';
  /** Undefined where it is not installed. */
  program: string | undefined;
  /** The URL of one that somebody else runs; '' when there is none. */
  given: string;
  start(): Promise<Broker>;
  /** Deletes every ticket of the instance, and what held them. */
  wipe(broker: Broker, instance: string): Promise<void>;
};

export const redis: BrokerEngine = {
  name: 'Redis',
  program: redisProgram,
  given: givenRedis,
  start: startRedis,
  async wipe({ url }) {
    const client = new Redis(url);
    await client.flushall();
    client.disconnect();
  },
};

export const rabbitmq: BrokerEngine = {
  name: 'RabbitMQ',
  program: rabbitmqProgram,
  given: givenRabbitmq,
  start: startRabbitmq,
  async wipe({ url }, instance) {
    const connection = new Connection(url);
    for (const lane of [0, 1, 2]) await connection.queueDelete({ queue: `darkroom.${instance}.${lane}` });
    await connection.close();
  },
};

export const brokerEngines = [redis, rabbitmq];

/** One for tests that leave it alive: the given one, else one of their own. */
export async function openBroker({ given, start }: BrokerEngine): Promise<Pick<Broker, 'url' | 'stop'>> {
  return given ? { url: given, stop: async () => {} } : start();
}
