// delivering.ts — a database, the guarded client and a delivery loop, for tests of webhooks.

import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { readConfig } from '../../src/config.ts';
import { openEgress } from '../../src/egress/client.ts';
import { findDelivery } from '../../src/notify/deliveries.ts';
import type { Delivery } from '../../src/notify/notify.ts';
import { deliverWebhooks, type DeliverOptions } from '../../src/notify/webhooks.ts';
import { openTestDatabase, silent, type EngineName } from './databases.ts';
import type { Receiver } from './receiver.ts';

export const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

export async function openDelivering(engine: EngineName, receivers: Receiver[]) {
  const db = await openTestDatabase(engine);
  const { config } = readConfig({
    DARKROOM_ALLOW_HOSTS: receivers.map(({ host }) => host).join(','),
    DARKROOM_WEBHOOK_SECRET: secret,
  });
  const own = () => ({ publicUrl: '', internalUrl: '', port: 8000 });
  const egress = openEgress({ config, log: silent, version: '0.0.0', own });
  const app = { db, egress, config, log: silent };
  const loops: { stop: () => void; ended: Promise<void> }[] = [];

  const enter = async (worker: string): Promise<void> => {
    await sql`insert into workers (id, machine, pid, version, slots)
      values (${worker}, 'here', 1, '0.0.0', 1) on conflict do nothing`.execute(db.query);
  };

  return {
    db,
    app,
    /** Among the living. */
    enter,
    /** What the transaction that closes a batch leaves behind. */
    async addDelivery(url: string, facts: { owner?: string; hop?: number; format?: string } = {}): Promise<string> {
      const { owner = '', hop = 0, format = 'json' } = facts;
      const [id, batch] = [randomUUID(), randomUUID()];
      await sql`insert into batches (id, surface, owner, state, lane, renditions, total, hop)
        values (${batch}, 'test', ${owner}, 'succeeded', 1, '[]', 0, ${hop})`.execute(db.query);
      await sql`insert into deliveries (id, batch_id, generation, owner, url, host, format)
        values (${id}, ${batch}, 1, ${owner}, ${url}, ${new URL(url).host}, ${format})`.execute(db.query);
      return id;
    },
    /** As many deliveries to one URL as nobody would insert one by one. */
    async addMany(url: string, count: number): Promise<void> {
      await sql`with b as (
          insert into batches (id, surface, state, lane, renditions, total)
          select gen_random_uuid(), 'test', 'succeeded', 1, '[]', 0 from generate_series(1, ${count}::int) returning id)
        insert into deliveries (id, batch_id, generation, owner, url, host, format)
        select gen_random_uuid(), id, 1, '', ${url}, ${new URL(url).host}, 'json' from b`.execute(db.query);
    },
    /** Starts delivering, with no waits worth waiting for; returns what stops it. */
    async run(options: Partial<DeliverOptions> = {}): Promise<() => Promise<void>> {
      const { worker = 'worker-1' } = options;
      await enter(worker);
      const stopping = new AbortController();
      const ended = deliverWebhooks(app, {
        worker,
        signal: stopping.signal,
        schedule: [0, 20, 20, 20],
        pollMs: 20,
        compose: async ({ batchId }) => ({
          contentType: 'application/json',
          body: Buffer.from(JSON.stringify({ batch: batchId, text: 'Grüße' })),
        }),
        ...options,
      });
      loops.push({ stop: () => stopping.abort(), ended });
      return async () => {
        stopping.abort();
        await ended;
      };
    },
    async find(id: string): Promise<Delivery> {
      const found = await findDelivery({ db }, id);
      if (!found) throw new Error(`no delivery ${id}`);
      return found;
    },
    async [Symbol.asyncDispose]() {
      for (const { stop } of loops) stop();
      await Promise.all(loops.map(({ ended }) => ended));
      await egress.close();
      await db.close();
    },
  };
}
