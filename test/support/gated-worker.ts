// gated-worker.ts — a whole worker whose pictures are finished when the test says so: then one can count instead of waiting.
//
// Only the rims are replaced: sources come from nowhere, and a slot holds its picture until it is let go.

import { setTimeout as sleep } from 'node:timers/promises';
import { createHash } from 'node:crypto';
import type { App } from '../../src/app.ts';
import { runWorker } from '../../src/batches/work.ts';
import { readConfig } from '../../src/config.ts';
import type { Egress } from '../../src/egress/egress.ts';
import { openHosts } from '../../src/egress/hosts.ts';
import type { Rendering, Sandbox } from '../../src/imaging/imaging.ts';
import { openMetrics } from '../../src/metrics.ts';
import { openEvents } from '../../src/notify/events.ts';
import type { Queue } from '../../src/queue/queue.ts';
import { silent } from './databases.ts';
import type { House } from './house.ts';

export type GatedWorker = AsyncDisposable & {
  /** URLs in the order in which they were fetched. */
  fetched: string[];
  /** URLs in the order in which they came into a slot. */
  begun: string[];
  /** How many pictures have left their slot. */
  ended: () => number;
  /** Lets the picture go that is in its slot for longest, and waits until another one has taken the slot. */
  endOne(): Promise<void>;
};

/** Starts it at once; disposing it lets everything go and waits until the worker has stopped. */
export async function openGatedWorker(
  house: House,
  { queue, slots }: { queue: Queue; slots: number },
): Promise<GatedWorker> {
  const [fetched, begun] = [[] as string[], [] as string[]];
  const held: (() => void)[] = [];
  let [ended, stopping] = [0, false];

  const sandbox: Sandbox = {
    slots,
    async render({ chunks, renditions }) {
      const url = Buffer.concat(chunks).toString();
      begun.push(url);
      if (!stopping) await new Promise<void>((resolve) => held.push(resolve));
      ended += 1;
      return renderingOf(url, renditions);
    },
    healthy: () => ({ ok: true }),
    children: () => [],
    close: async () => {},
  };
  const events = await openEvents(house.app.db, silent);
  const metrics = openMetrics('test');
  const { config } = readConfig({ DATA_DIR: house.app.config.dataDir, DARKROOM_SLOTS: String(slots) });
  const app: App = { ...house.app, config, queue, sandbox, egress: egressFromNowhere(fetched), events, metrics };
  const ending = new AbortController();
  const compose = () => Promise.reject(new Error('no webhook was asked for'));
  const working = runWorker(app, { version: 'test', compose, signal: ending.signal });

  return {
    fetched,
    begun,
    ended: () => ended,
    async endOne() {
      const before = begun.length;
      held.shift()?.();
      while (begun.length === before) await sleep(1);
      // Pictures take longer than a question to the database.
      await house.app.db.healthy();
    },
    async [Symbol.asyncDispose]() {
      stopping = true;
      ending.abort();
      for (const letGo of held) letGo();
      await working;
      await events.close();
      metrics.close();
    },
  };
}

/** The bytes of a source are its URL. */
function egressFromNowhere(fetched: string[]): Egress {
  return {
    check: (url) => new URL(url),
    async fetch(url) {
      fetched.push(url);
      const body = Buffer.from(url);
      const sha256 = createHash('sha256').update(body).digest();
      return { chunks: [body], bytes: body.length, sha256, host: new URL(url).host };
    },
    post: () => Promise.reject(new Error('no webhook was asked for')),
    hosts: openHosts({ connections: 8, now: () => Date.now() }),
    close: async () => {},
  };
}

function renderingOf(url: string, renditions: { name: string }[]): Rendering {
  const picture = { mediaType: 'image/jpeg', width: 20, height: 10 };
  const body = [Buffer.from(`made of ${url}`)];
  return {
    source: { ...picture, format: 'jpeg', frames: 1 },
    renditions: renditions.map(({ name }) => ({
      ...picture,
      name,
      format: 'jpeg',
      extension: 'jpg',
      body,
      bytes: body[0]!.length,
      quality: 50,
      keptOriginal: false,
      warnings: [],
    })),
    ms: { decode: 0, transform: 0, encode: 0 },
    warnings: [],
  };
}
