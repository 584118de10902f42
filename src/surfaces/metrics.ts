// metrics.ts — /metrics: what was counted, and what is looked up for whoever scrapes.
//
// Looking up costs a few statements, so several scrapers within five seconds share one look. Only a server that serves
// looks at the queues: every worker would tell the same once more.

import type { App } from '../app.ts';
import { endedBatches } from '../batches/ended.ts';
import { queueViews, workerViews } from '../batches/overview.ts';
import type { Http } from '../http/http.ts';
import type { Seen } from '../metrics.ts';
import type { Surface } from './surface.ts';

const sharedMs = 5_000;

export const metrics: Surface = {
  name: 'metrics',
  summary: 'Numbers for Prometheus.',
  routes(http, app) {
    const look = openLook(http, app);
    http.get(
      '/metrics',
      {
        config: { scope: 'admin' },
        schema: { tags: ['metrics'], operationId: 'metrics', summary: 'Counters and gauges, for Prometheus' },
      },
      async (_request, reply) => {
        // Counters are there even while the database is not.
        await look().catch((error: unknown) => app.log.warn({ err: error }, 'the gauges could not be looked up'));
        app.metrics.show({ clients: http.live.followers });
        const { type, text } = await app.metrics.page();
        return reply.type(type).send(text);
      },
    );
  },
};

function openLook(http: Http, app: App): () => Promise<void> {
  let last: { at: number; done: Promise<void> } | undefined;
  let upTo: number | undefined;

  async function lookNow(): Promise<void> {
    const { freeBytes } = await app.storage.room();
    app.metrics.show({ storageFreeBytes: freeBytes });
    if (!http.routeTable.some(({ path }) => path === '/v1/batches')) return;
    const told = await endedBatches(app, upTo);
    upTo = told.upTo;
    app.metrics.batches(told.ended);
    app.metrics.show({ queues: await queueViews(app), workers: await workersSeen(app) });
  }

  return () => {
    if (!last || performance.now() - last.at > sharedMs) last = { at: performance.now(), done: lookNow() };
    return last.done;
  };
}

async function workersSeen(app: App): Promise<Seen['workers']> {
  const all = await workerViews(app);
  const alive = all.filter(({ silent }) => !silent);
  const busySlots = alive.reduce((sum, { busy }) => sum + busy, 0);
  const slots = alive.reduce((sum, each) => sum + each.slots, 0);
  return {
    alive: alive.length,
    silent: all.length - alive.length,
    busySlots,
    freeSlots: Math.max(0, slots - busySlots),
  };
}
