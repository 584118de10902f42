// index.ts — which driver a QUEUE_URL means. Drivers of networks load when they are asked for.

import type { BrokerOptions, Queue } from './queue.ts';

type Open = (options: BrokerOptions) => Promise<Queue>;
const redis: Open = async (options) => (await import('./redis.ts')).openRedis(options);
const rabbitmq: Open = async (options) => (await import('./rabbitmq.ts')).openRabbitmq(options);

const drivers = new Map<string, Open>([
  ['', async () => (await import('./database.ts')).openDatabaseQueue()],
  ['redis', redis],
  ['rediss', redis],
  ['amqp', rabbitmq],
  ['amqps', rabbitmq],
]);

/**
 * Opens the queue that `url` names; '' is the database itself. A broker that is away does not fail the start: workers claim
 * from the database until it comes. Throws a sentence that says what is possible.
 */
export async function openQueue(options: BrokerOptions): Promise<Queue> {
  const { url } = options;
  const scheme = url === '' ? '' : (/^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase() ?? '(none)');
  const open = drivers.get(scheme);
  const known = [...drivers.keys()].filter(Boolean).map((name) => `${name}:`);
  // The url may hold a password, so only its scheme is repeated.
  if (!open)
    throw new Error(
      `QUEUE_URL has the scheme ${scheme}, for which there is no driver. ` +
        `Use ${known.join(', ')}, or leave it unset: the database is the queue then.`,
    );
  if (url !== '' && !URL.canParse(url)) throw new Error(`QUEUE_URL is not an address such as ${scheme}://host:port.`);
  return open(options);
}
