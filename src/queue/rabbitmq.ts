// rabbitmq.ts — tickets through RabbitMQ: quorum queues, publisher confirms, acknowledged by hand.
//
// RabbitMQ confirms also what it could not route, and returns it: a queue that was deleted by hand. Such a ticket counts
// as not published, and the queues are declared anew. Every emitter has a listener for errors: without one the process
// would end with the first lost connection.

import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { Connection, type Publisher } from 'rabbitmq-client';
import { tellFaults } from './faults.ts';
import { inTime, lanes, patienceMs, queueNameOf, untilAborted, type BrokerOptions, type Queue } from './queue.ts';

const healthMs = 2_000;
const retryMs = 500;
/** Confirms that may be outstanding at once. */
const inFlight = 500;

/** The same everywhere: a consumer that declares its queue otherwise is refused. */
const declared = (queue: string) => ({
  queue,
  durable: true,
  arguments: { 'x-queue-type': 'quorum', 'x-delivery-limit': 10 } as const,
});

export async function openRabbitmq({ url, instance, log }: BrokerOptions): Promise<Queue> {
  const faults = tellFaults(log);
  const connection = new Connection({
    url,
    connectionName: 'darkroom',
    connectionTimeout: patienceMs,
    acquireTimeout: patienceMs,
    heartbeat: 10,
    retryLow: 200,
    retryHigh: 1_000,
  });
  connection.on('error', faults.failed);
  connection.on('connection', faults.works);
  const queues = lanes.map((lane) => declared(queueNameOf(instance, lane)));
  const publisher = openPublisher(connection, queues);
  const declare = once(async () => {
    for (const queue of queues) await inTime(connection.queueDeclare(queue), 'declare a queue');
  });

  return {
    carriesTickets: true,
    name: 'rabbitmq',
    async publish(tickets) {
      mustBeReady(connection);
      await declare();
      for (let from = 0; from < tickets.length; from += inFlight) {
        const some = tickets.slice(from, from + inFlight);
        const sent = some.map(({ id, lane }) => publisher.send(queueNameOf(instance, lane), id));
        await inTime(Promise.all(sent), 'confirm the tickets');
      }
    },
    async consume({ lane, limit, signal }, handle) {
      if (signal.aborted) return;
      while (!(await works(declare)) && !signal.aborted) await sleep(retryMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      const options = declared(queueNameOf(instance, lane));
      const consumer = connection.createConsumer(
        { queue: options.queue, queueOptions: options, qos: { prefetchCount: limit }, concurrency: limit },
        ({ body }) =>
          handle({ id: String(body), lane }).catch((error: unknown) => log.error({ err: error }, 'a ticket failed')),
      );
      consumer.on('error', faults.failed);
      consumer.on('ready', faults.works);
      await untilAborted(signal);
      await consumer.close().catch(faults.failed);
    },
    async waiting(lane) {
      mustBeReady(connection);
      const options = declared(queueNameOf(instance, lane));
      return (await inTime(connection.queueDeclare(options), 'count its tickets')).messageCount;
    },
    async healthy() {
      try {
        mustBeReady(connection);
        // A question that leaves nothing behind.
        const known = { exchange: 'amq.direct', type: 'direct', passive: true };
        await inTime(connection.exchangeDeclare(known), 'answer', healthMs);
        return { ok: true };
      } catch (error) {
        return { ok: false, detail: (error as Error).message };
      }
    },
    async close() {
      const closed = publisher.close().then(() => connection.close());
      await inTime(closed, 'close', healthMs).catch(() => connection.unsafeDestroy());
    },
  };
}

/**
 * Done once when it succeeds, by one at a time: a server on which two declare the same new quorum queue at the same moment
 * may close the connection.
 */
function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () =>
    (done ??= work().catch((error: unknown) => {
      done = undefined;
      throw error;
    }));
}

const works = (work: () => Promise<void>): Promise<boolean> =>
  work().then(
    () => true,
    () => false,
  );

/** Not connected, or the server has run out of memory or disk and takes nothing for now. */
function mustBeReady({ ready }: Connection): void {
  if (!ready) throw new Error('RabbitMQ cannot be reached, or takes nothing at the moment.');
}

type Declared = ReturnType<typeof declared>;
type TicketPublisher = { send(queue: string, id: string): Promise<void>; close(): Promise<void> };

function openPublisher(connection: Connection, queues: Declared[]): TicketPublisher {
  const returned = new Set<string>();
  let current: Publisher | undefined;

  const open = (): Publisher => {
    // The client retries nothing: what is not confirmed goes back into the database.
    const publisher = connection.createPublisher({ confirm: true, maxAttempts: 1, queues });
    publisher.on('basic.return', ({ messageId }) => void returned.add(messageId ?? ''));
    return publisher;
  };

  return {
    async send(queue, id) {
      const publisher = (current ??= open());
      await publisher.send({ routingKey: queue, mandatory: true, durable: true, messageId: id }, id);
      // The client tells of a returned ticket a turn later than of its confirmation.
      await nextTurn();
      if (!returned.delete(id)) return;
      // The next one declares the queues again.
      if (current === publisher) {
        current = undefined;
        void publisher.close().catch(() => {});
      }
      throw new Error(`RabbitMQ has no queue ${queue}.`);
    },
    close: async () => current?.close(),
  };
}
