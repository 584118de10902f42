// handing-out.test.ts — one suite over every queue engine.

import { afterAll, beforeAll, describe } from 'vitest';
import { databaseEngines } from './support/databases.ts';
import { rabbitmqProgram, startRabbitmq } from './support/rabbitmq.ts';
import { redisProgram, startRedis, type Broker } from './support/redis.ts';
import { handingOutSuite } from './suites/handing-out.ts';

const postgres = databaseEngines.includes('postgres');

describe('the embedded database', () => {
  handingOutSuite({ database: 'pglite', carriesTickets: false, queueUrl: () => '' });
});

describe.skipIf(!postgres)('PostgreSQL', () => {
  handingOutSuite({ database: 'postgres', carriesTickets: false, queueUrl: () => '' });
});

const brokers = [
  { name: 'Redis', program: redisProgram, start: startRedis },
  { name: 'RabbitMQ', program: rabbitmqProgram, start: startRabbitmq },
];

for (const { name, program, start } of brokers)
  describe.skipIf(!program || !postgres)(`PostgreSQL with ${name}`, () => {
    let broker: Broker;
    beforeAll(async () => {
      broker = await start();
    });
    afterAll(() => broker?.stop());
    handingOutSuite({ database: 'postgres', carriesTickets: true, queueUrl: () => broker.url });
  });
