// handing-out.test.ts — one suite over every queue engine.

import { afterAll, beforeAll, describe } from 'vitest';
import { brokerEngines, openBroker } from './support/brokers.ts';
import { databaseEngines } from './support/databases.ts';
import { handingOutSuite } from './suites/handing-out.ts';

const postgres = databaseEngines.includes('postgres');

describe('the embedded database', () => {
  handingOutSuite({ database: 'pglite', carriesTickets: false, queueUrl: () => '' });
});

describe.skipIf(!postgres)('PostgreSQL', () => {
  handingOutSuite({ database: 'postgres', carriesTickets: false, queueUrl: () => '' });
});

for (const engine of brokerEngines)
  describe.skipIf(!(engine.given || engine.program) || !postgres)(`PostgreSQL with ${engine.name}`, () => {
    let broker: Awaited<ReturnType<typeof openBroker>>;
    beforeAll(async () => {
      broker = await openBroker(engine);
    });
    afterAll(() => broker?.stop());
    handingOutSuite({ database: 'postgres', carriesTickets: true, queueUrl: () => broker.url });
  });
