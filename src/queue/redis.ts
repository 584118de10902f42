// redis.ts — tickets through Redis (or Valkey), by BullMQ.
//
// Of BullMQ only the list and the locks are used: no retries, no delays, no priorities, no job ids, because the database
// decides all of that; a ticket with the id of the image would be swallowed while an earlier one is not acknowledged yet.
// The publisher fails at once while the server is away, the consumers wait for it to come back.

import { setTimeout as sleep } from 'node:timers/promises';
import { Queue as TicketQueue, Worker } from 'bullmq';
import { Redis, type RedisOptions } from 'ioredis';
import { tellFaults } from './faults.ts';
import {
  inTime,
  lanes,
  patienceMs,
  queueNameOf,
  untilAborted,
  type BrokerOptions,
  type Lane,
  type Queue,
} from './queue.ts';

const healthMs = 2_000;
/** Jobs end when they are acknowledged and leave nothing behind. */
const once = { attempts: 1, removeOnComplete: true, removeOnFail: true };

export async function openRedis({ url, instance, log, silentMs = 30_000 }: BrokerOptions): Promise<Queue> {
  const faults = tellFaults(log);
  const connect = (options: RedisOptions): Redis => {
    const retryStrategy = (times: number) => Math.min(1_000, 200 * times);
    const client = new Redis(url, { connectTimeout: patienceMs, retryStrategy, ...options });
    return client.on('error', faults.failed).on('ready', faults.works);
  };
  const publisher = connect({ maxRetriesPerRequest: 1, enableOfflineQueue: false, commandTimeout: patienceMs });
  // Not `lazyConnect`: BullMQ would give up for good when the first connection fails.
  let consumer: Redis | undefined;
  const eviction = watchEviction(publisher);
  const opened = new Map<Lane, TicketQueue>();

  const queueOf = (lane: Lane): TicketQueue => {
    // A command before the first connection would wait in BullMQ without end.
    if (publisher.status !== 'ready') throw new Error('Redis cannot be reached.');
    const known = opened.get(lane);
    if (known) return known;
    const options = { connection: publisher, streams: { events: { maxLen: 10 } }, skipMetasUpdate: true };
    const queue = new TicketQueue(queueNameOf(instance, lane), options);
    queue.on('error', faults.failed);
    opened.set(lane, queue);
    return queue;
  };

  return {
    carriesTickets: true,
    name: 'redis',
    async publish(tickets) {
      for (const lane of lanes) {
        const jobs = tickets.flatMap((ticket) =>
          ticket.lane === lane ? [{ name: 'ticket', data: ticket.id, opts: once }] : [],
        );
        if (jobs.length > 0) await inTime(queueOf(lane).addBulk(jobs), 'take the tickets');
      }
    },
    async consume({ lane, limit, signal }, handle) {
      if (signal.aborted) return;
      const inHand = new Set<Promise<void>>();
      const work = async ({ data }: { data: string }): Promise<void> => {
        const handled = handle({ id: data, lane }).catch((error: unknown) =>
          log.error({ err: error }, 'a ticket failed'),
        );
        inHand.add(handled);
        await handled;
        inHand.delete(handled);
      };
      const worker = new Worker<string>(queueNameOf(instance, lane), work, {
        connection: (consumer ??= connect({ maxRetriesPerRequest: null })),
        concurrency: limit,
        lockDuration: silentMs,
        stalledInterval: silentMs / 2,
        maxStalledCount: 1_000,
      });
      worker.on('error', faults.failed);
      await untilAborted(signal);
      // While the server is away BullMQ would wait for it: then only what is in hand counts, and locks run out.
      const handled = async () => {
        while (inHand.size > 0) await Promise.all(inHand);
        await sleep(publisher.status === 'ready' ? patienceMs : 0, undefined, { ref: false });
      };
      await Promise.race([worker.close(), handled()]);
    },
    waiting: async (lane) => inTime(queueOf(lane).getWaitingCount(), 'count its tickets'),
    async healthy() {
      try {
        if (publisher.status !== 'ready') return { ok: false, detail: 'Redis cannot be reached' };
        await inTime(publisher.ping(), 'answer', healthMs);
        const policy = eviction();
        return policy ? { ok: true, detail: policy } : { ok: true };
      } catch (error) {
        return { ok: false, detail: (error as Error).message };
      }
    },
    async close() {
      await Promise.allSettled([...opened.values()].map((queue) => inTime(queue.close(), 'close', healthMs)));
      publisher.disconnect();
      consumer?.disconnect();
    },
  };
}

/** A Redis that evicts keys when it is full drops tickets: they are found again, but late. */
function watchEviction(client: Redis): () => string | undefined {
  let policy = 'noeviction';
  client.on('ready', () => {
    client.info('memory').then(
      (text) => (policy = /^maxmemory_policy:(\S+)/m.exec(text)?.[1] ?? policy),
      () => {}, // a server that keeps this to itself
    );
  });
  return () => (policy === 'noeviction' ? undefined : `maxmemory-policy is ${policy}; noeviction keeps all tickets`);
}
