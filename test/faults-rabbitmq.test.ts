// faults-rabbitmq.test.ts — faults 8 to 11 of the reliability table with this broker. DARKROOM_TEST_ROUNDS=10 makes the long run.

import { brokerFaultSuite } from './suites/broker-faults.ts';
import { rabbitmq } from './support/brokers.ts';

brokerFaultSuite(rabbitmq);
