// metrics.ts — what this process counts, for Prometheus: one object that is handed to whoever has something to count.
//
// Counting is a few additions in memory and never waits. No host, URL or id becomes a label: each new one would be a series
// for ever. Depths of queues and the like are not counted but looked up when somebody scrapes (surfaces/metrics.ts).

import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Claimed } from './batches/claim.ts';
import type { Outcome } from './batches/settle.ts';
import type { Egress } from './egress/egress.ts';
import type { Sandbox } from './imaging/imaging.ts';
import { Problem, type Code } from './problem.ts';

export type Metrics = {
  /** How a try of an image ended. */
  image(item: Pick<Claimed, 'lane'>, outcome: Outcome): void;
  /** How a try of a webhook call ended. */
  delivery(state: string): void;
  request(facts: { method: string; route: string; status: number; seconds: number }): void;
  /** The same way out, its refusals counted. */
  watchEgress(egress: Egress): Egress;
  /** The same sandbox, its deaths counted. */
  watchSandbox(sandbox: Sandbox): Sandbox;
  /** Batches that have ended since the last time this was told. */
  batches(ended: { surface: string; state: string; count: number }[]): void;
  /** Sets gauges to what was looked up just now. */
  show(seen: Seen): void;
  /** The page that Prometheus reads, and its type. */
  page(): Promise<{ type: string; text: string }>;
  close(): void;
};

export type Seen = {
  queues?: { name: string; waiting: number; running: number; failed: number; oldestSeconds: number | null }[];
  workers?: { alive: number; silent: number; busySlots: number; freeSlots: number };
  storageFreeBytes?: number | undefined;
  clients?: Record<string, number>;
};

const lanes = ['interactive', 'bulk', 'suspects'] as const;
const ends = {
  succeeded: 'succeeded',
  failed: 'failed',
  retry: 'retried',
  release: 'released',
  park: 'parked',
} as const;
const seconds = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const refusals = new Set<Code>([
  'blocked_address',
  'invalid_url',
  'tls_failed',
  'too_many_redirects',
  'invalid_redirect',
]);
const deaths: Partial<Record<Code, string>> = {
  decode_timeout: 'timeout',
  decode_memory: 'memory',
  decoder_crashed: 'crashed',
};

export function openMetrics(version: string): Metrics {
  const registry = new Registry();
  const all = openSeries(registry);
  const lag = monitorEventLoopDelay({ resolution: 20 });
  lag.enable();
  all.build.set({ version, node: process.version }, 1);

  return {
    image({ lane }, outcome) {
      all.images.inc({ lane: lanes[lane], outcome: ends[outcome.kind] });
      if ('code' in outcome) all.imageErrors.inc({ code: outcome.code });
      if (outcome.kind !== 'succeeded') return;
      for (const [stage, ms] of Object.entries(outcome.timings)) all.imageSeconds.observe({ stage }, ms / 1000);
      all.bytes.inc({ direction: 'in' }, outcome.source.bytes);
      all.bytes.inc(
        { direction: 'out' },
        outcome.renditions.reduce((sum, { bytes }) => sum + bytes, 0),
      );
    },
    delivery: (outcome) => all.deliveries.inc({ outcome }),
    request: ({ method, route, status, seconds: taken }) => all.requests.observe({ method, route, status }, taken),
    watchEgress: (egress) =>
      watched(egress, ['check', 'fetch', 'post'], (code) => {
        if (refusals.has(code)) all.refusals.inc({ reason: code });
      }),
    watchSandbox: (sandbox) =>
      watched(sandbox, ['render'], (code) => {
        const reason = deaths[code];
        if (reason !== undefined) all.kills.inc({ reason });
      }),
    batches(ended) {
      for (const { surface, state, count } of ended) all.batches.inc({ surface, state }, count);
    },
    show: (seen) => showSeen(all, seen),
    async page() {
      const mean = Number.isNaN(lag.mean) ? 0 : lag.mean / 1e9;
      // The resolution of the measure is part of what it measures.
      all.lag.set(Math.max(0, mean - 0.02));
      lag.reset();
      return { type: registry.contentType, text: await registry.metrics() };
    },
    close: () => void lag.disable(),
  };
}

type Series = ReturnType<typeof openSeries>;

function openSeries(registry: Registry) {
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Counter({ name: `darkroom_${name}`, help, labelNames, registers });
  const gauge = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Gauge({ name: `darkroom_${name}`, help, labelNames, registers });
  const histogram = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Histogram({ name: `darkroom_${name}`, help, labelNames, buckets: seconds, registers });
  return {
    images: counter('images_total', 'Tries of images, by how they ended', ['lane', 'outcome']),
    imageErrors: counter('image_errors_total', 'Tries of images that failed', ['code']),
    imageSeconds: histogram('image_seconds', 'Stages of images that succeeded', ['stage']),
    batches: counter('batches_total', 'Batches that ended; every serving process tells all', ['surface', 'state']),
    queueDepth: gauge('queue_depth', 'What waits, runs, and has failed', ['queue', 'state']),
    queueOldest: gauge('queue_oldest_seconds', 'Age of the oldest that waits', ['queue']),
    slots: gauge('worker_slots', 'Slots of all living workers', ['state']),
    workers: gauge('workers', 'Workers by their sign of life', ['state']),
    bytes: counter('bytes_total', 'Bytes of sources and results of images that succeeded', ['direction']),
    deliveries: counter('deliveries_total', 'Tries of webhook calls, by what they became', ['outcome']),
    refusals: counter('egress_refused_total', 'Requests of ours that the guard refused', ['reason']),
    kills: counter('sandbox_kills_total', 'Pictures whose sandbox child did not survive', ['reason']),
    requests: histogram('http_request_seconds', 'Answers to HTTP requests', ['method', 'route', 'status']),
    clients: gauge('live_clients', 'Who follows the news', ['kind']),
    storageFree: gauge('storage_free_bytes', 'Room in storage', []),
    lag: gauge('event_loop_lag_seconds', 'Mean delay of the event loop since the last scrape', []),
    build: gauge('build_info', 'Always 1', ['version', 'node']),
  };
}

function showSeen(all: Series, { queues = [], workers, storageFreeBytes, clients = {} }: Seen): void {
  for (const { name: queue, waiting, running, failed, oldestSeconds } of queues) {
    for (const [state, count] of Object.entries({ waiting, running, failed }))
      all.queueDepth.set({ queue, state }, count);
    all.queueOldest.set({ queue }, oldestSeconds ?? 0);
  }
  if (workers) {
    all.workers.set({ state: 'alive' }, workers.alive);
    all.workers.set({ state: 'silent' }, workers.silent);
    all.slots.set({ state: 'busy' }, workers.busySlots);
    all.slots.set({ state: 'free' }, workers.freeSlots);
  }
  if (storageFreeBytes !== undefined) all.storageFree.set(storageFreeBytes);
  for (const [kind, count] of Object.entries(clients)) all.clients.set({ kind }, count);
}

/** The same part; `saw` hears the code of each Problem that these verbs end with. */
function watched<Part extends object>(part: Part, verbs: (keyof Part)[], saw: (code: Code) => void): Part {
  const note = (error: unknown): never => {
    if (error instanceof Problem) saw(error.code);
    throw error;
  };
  // A getter of the part must stay one: what it gives changes.
  const same = Object.defineProperties({}, Object.getOwnPropertyDescriptors(part)) as Part;
  for (const verb of verbs) {
    const call = part[verb] as (...given: unknown[]) => unknown;
    const noting = (...given: unknown[]): unknown => {
      try {
        const made = call.apply(part, given);
        return made instanceof Promise ? made.catch(note) : made;
      } catch (error) {
        return note(error);
      }
    };
    Object.defineProperty(same, verb, { value: noting, enumerable: true });
  }
  return same;
}
