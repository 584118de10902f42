// brokers.ts — the brokers that tests kill: how each is started, and how everything it knows is taken from it.

import { Redis } from 'ioredis';
import { Connection } from 'rabbitmq-client';
import { rabbitmqProgram, startRabbitmq } from './rabbitmq.ts';
import { redisProgram, startRedis, type Broker } from './redis.ts';

export type BrokerEngine = {
  name: 'Redis' | 'RabbitMQ';
  /** Undefined where it is not installed. */
  program: string | undefined;
  start(): Promise<Broker>;
  /** Deletes every ticket of the instance, and what held them. */
  wipe(broker: Broker, instance: string): Promise<void>;
};

export const redis: BrokerEngine = {
  name: 'Redis',
  program: redisProgram,
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
  start: startRabbitmq,
  async wipe({ url }, instance) {
    const connection = new Connection(url);
    for (const lane of [0, 1, 2]) await connection.queueDelete({ queue: `darkroom.${instance}.${lane}` });
    await connection.close();
  },
};

export const brokerEngines = [redis, rabbitmq];
