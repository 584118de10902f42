// queue.test.ts — runs the suite over every driver, and what only a broker can do wrong.

import { randomBytes, randomUUID } from 'node:crypto';
import { Connection } from 'rabbitmq-client';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { openQueue } from '../src/queue/index.ts';
import { silent } from './support/databases.ts';
import { rabbitmqProgram, startRabbitmq } from './support/rabbitmq.ts';
import { redisProgram, startRedis, type Broker } from './support/redis.ts';
import { brokerSuite, queueSuite } from './suites/queue.ts';

const anInstance = () => randomBytes(6).toString('hex');
const open = (url: string) => openQueue({ url, instance: anInstance(), log: silent });

describe('the database as queue', () => {
  queueSuite(() => open(''), false);
});

const brokers = [
  { name: 'Redis', program: redisProgram, start: startRedis },
  { name: 'RabbitMQ', program: rabbitmqProgram, start: startRabbitmq },
];

for (const { name, program, start } of brokers)
  describe.skipIf(!program)(`${name} as queue`, () => {
    let broker: Broker;
    beforeAll(async () => {
      broker = await start();
    });
    afterAll(() => broker?.stop());

    queueSuite(() => open(broker.url), true);
    brokerSuite(() => broker);
  });

describe.skipIf(!rabbitmqProgram)('RabbitMQ whose queue was deleted by hand', () => {
  test('refuses the tickets instead of confirming what it threw away, and takes them when they come again', async () => {
    const broker = await startRabbitmq();
    const instance = anInstance();
    const queue = await openQueue({ url: broker.url, instance, log: silent });
    const tickets = [{ id: randomUUID(), lane: 1 as const }];
    await vi.waitFor(() => queue.publish(tickets), { timeout: 30_000 });
    const connection = new Connection(broker.url);
    await connection.queueDelete({ queue: `darkroom.${instance}.1` });
    await expect(queue.publish(tickets)).rejects.toThrow('RabbitMQ has no queue');
    await queue.publish(tickets);
    await vi.waitFor(async () => expect(await queue.waiting(1)).toBe(1), { timeout: 30_000 });
    await Promise.all([connection.close(), queue.close()]);
    await broker.stop();
  });
});

test.each([
  ['nats://me:secret@host', 'nats'],
  ['constructor:secret', 'constructor'],
  ['secret', '(none)'],
])('QUEUE_URL %j is refused by its scheme alone', async (url, scheme) => {
  const opening = open(url);
  await expect(opening).rejects.toThrow(
    `QUEUE_URL has the scheme ${scheme}, for which there is no driver. Use redis:, rediss:, amqp:, amqps:, or leave it`,
  );
  await expect(opening).rejects.not.toThrow('secret');
});

test('QUEUE_URL with a known scheme and no address is refused without its secrets', async () => {
  await expect(open('redis://me:secret@host:port')).rejects.toThrow('QUEUE_URL is not an address such as redis://');
  await expect(open('redis://me:secret@host:port')).rejects.not.toThrow('secret');
});
