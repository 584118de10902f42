// targets.ts — every row we measure ourselves by, with its gate and its aim.
//
// Gate: below it the run fails. Aim: what we want to publish. A figure here is lowered only in a commit that says why.
// README.md shows the same table, and a test compares the two.

export type Family =
  | 'limit'
  | 'e2e'
  | 'egress'
  | 'tiny'
  | 'rows'
  | 'latency'
  | 'renditions'
  | 'dedupe'
  | 'scale'
  | 'soak'
  | 'crash'
  | 'peer'
  | 'start';

export type Target = {
  id: string;
  family: Family;
  what: string;
  unit: string;
  /** CPU counts under any noise; wall and memory figures get a verdict only on a quiet machine. */
  kind: 'cpu' | 'wall' | 'memory' | 'count';
  better: 'higher' | 'lower';
  gate: number;
  aim: number;
};

type Values = Pick<Target, 'unit' | 'kind' | 'better'>;
const ofBare: Values = { unit: 'img/s ÷ L0', kind: 'wall', better: 'higher' };
const ofFetched: Values = { unit: 'img/s ÷ L1', kind: 'wall', better: 'higher' };
const cpuOfBare: Values = { unit: 'CPU ÷ L0', kind: 'cpu', better: 'lower' };
const speedup: Values = { unit: 'img/s ratio', kind: 'wall', better: 'higher' };
const cpuGain: Values = { unit: 'CPU ratio', kind: 'cpu', better: 'higher' };
const rowCost: Values = { unit: 'µs/row', kind: 'wall', better: 'lower' };
const waiting: Values = { unit: 'ms', kind: 'wall', better: 'lower' };
const memory: Values = { unit: 'MB', kind: 'memory', better: 'lower' };

const row = (id: string, family: Family, what: string, values: Values, gate: number, aim: number): Target => ({
  id,
  family,
  what,
  ...values,
  gate,
  aim,
});

export const targets: Target[] = [
  row('T1a', 'e2e', '(a) balanced, catalog to results', ofBare, 0.87, 0.94),
  row('T1f', 'e2e', '(a) fast, catalog to results', ofBare, 0.86, 0.93),
  row('T2', 'e2e', '(b), catalog to results', ofBare, 0.87, 0.94),
  row('T3', 'e2e', '(c), catalog to results', ofBare, 0.86, 0.93),
  row('T4a', 'e2e', '(a) balanced, against fetching by hand', ofFetched, 0.92, 0.97),
  row('T4f', 'e2e', '(a) fast, against fetching by hand', ofFetched, 0.92, 0.97),
  row('T4b', 'e2e', '(b), against fetching by hand', ofFetched, 0.92, 0.97),
  row('T4c', 'e2e', '(c), against fetching by hand', ofFetched, 0.92, 0.97),
  row('T5a', 'e2e', '(a) balanced, CPU per image', cpuOfBare, 1.1, 1.06),
  row('T5f', 'e2e', '(a) fast, CPU per image', cpuOfBare, 1.1, 1.08),
  row('T5b', 'e2e', '(b), CPU per image', cpuOfBare, 1.1, 1.07),
  row('T5c', 'e2e', '(c), CPU per image', cpuOfBare, 1.1, 1.07),
  row('T5s-a', 'limit', 'sandbox alone, (a) balanced', cpuOfBare, 1.07, 1.04),
  row('T5s-f', 'limit', 'sandbox alone, (a) fast', cpuOfBare, 1.07, 1.04),
  row('T5s-b', 'limit', 'sandbox alone, (b)', cpuOfBare, 1.07, 1.04),
  row('T5s-c', 'limit', 'sandbox alone, (c)', cpuOfBare, 1.07, 1.04),
  row('T5g', 'egress', 'guarded egress ÷ plain undici, loopback', { ...speedup, unit: 'img/s ratio' }, 0.98, 0.99),
  row('T6', 'peer', '(a) fast ÷ Celery + Pillow, same encoder settings', speedup, 1.1, 1.2),
  row('T7', 'peer', '(a) balanced ÷ Celery + Pillow', speedup, 0.85, 0.95),
  row(
    'T7-bytes',
    'peer',
    '(a) balanced, bytes ÷ Celery + Pillow',
    { unit: 'bytes ratio', kind: 'count', better: 'lower' },
    0.92,
    0.91,
  ),
  row('T8-bullmq', 'peer', '(b) ÷ BullMQ', speedup, 1.1, 1.18),
  row('T8-celery', 'peer', '(b) ÷ Celery', speedup, 1.3, 1.38),
  row('T8-rabbitmq', 'peer', '(b) ÷ RabbitMQ', speedup, 1.4, 1.55),
  row('T9-bullmq', 'peer', '(c) ÷ BullMQ', speedup, 1.1, 1.17),
  row('T9-celery', 'peer', '(c) ÷ Celery', speedup, 1.5, 1.65),
  row('T9-rabbitmq', 'peer', '(c) ÷ RabbitMQ', speedup, 1.6, 1.75),
  row('T10-celery', 'peer', 'one catalog ÷ Celery as seeded, per core and unit of its T8, T9', speedup, 0.85, 0.9),
  row('T10-bullmq', 'peer', 'one catalog ÷ BullMQ as seeded, per unit of its T8, T9', speedup, 1.7, 2),
  row('T11-jpeg', 'renditions', 'four JPEG renditions in one image ÷ four images', cpuGain, 2.0, 2.4),
  row('T11-webp', 'renditions', 'four WebP renditions in one image ÷ four images', cpuGain, 1.7, 1.95),
  row('T12', 'dedupe', 'catalog with 50 % duplicate URLs ÷ without', speedup, 1.7, 1.9),
  row('T13', 'tiny', '1x1 PNG, CPU per job, all in', cpuOfBare, 2.6, 2.2),
  row('T14-bullmq', 'peer', '1x1 PNG, CPU per job of BullMQ ÷ ours', cpuGain, 1.9, 2.3),
  row('T14-celery', 'peer', '1x1 PNG, CPU per job of Celery ÷ ours', cpuGain, 3.8, 4.5),
  row('T14-rabbitmq', 'peer', '1x1 PNG, CPU per job of RabbitMQ ÷ ours', cpuGain, 6, 7),
  row('T15-p50', 'latency', 'submit one JSON job, serial, p50', waiting, 1.0, 0.5),
  row('T15-p99', 'latency', 'submit one JSON job, serial, p99', waiting, 6, 3),
  row(
    'T15-rate',
    'latency',
    'submit JSON jobs, 64 connections',
    { unit: 'req/s', kind: 'wall', better: 'higher' },
    4000,
    10000,
  ),
  row('T16-pg', 'rows', 'catalog: read, validate, insert; PostgreSQL', rowCost, 12, 8),
  row('T16-pglite', 'rows', 'catalog: read, validate, insert; PGlite', rowCost, 20, 14),
  row('T16-stall-pg', 'rows', 'longest event-loop stall meanwhile; PostgreSQL', waiting, 50, 20),
  row('T16-stall-pglite', 'rows', 'longest event-loop stall meanwhile; PGlite', waiting, 200, 150),
  row(
    'T17-pg',
    'rows',
    'claim and settle by hundreds; PostgreSQL',
    { unit: 'img/s', kind: 'wall', better: 'higher' },
    6000,
    10000,
  ),
  row(
    'T17-pglite',
    'rows',
    'claim and settle by hundreds; PGlite',
    { unit: 'img/s', kind: 'wall', better: 'higher' },
    5000,
    10000,
  ),
  row(
    'T17-flat',
    'rows',
    'claim and settle, largest ÷ smallest backlog',
    { unit: 'cost ratio', kind: 'cpu', better: 'lower' },
    1.4,
    1.25,
  ),
  row('T18-memory', 'rows', 'largest catalog: growth of peak Σ PSS over 1k rows', memory, 96, 64),
  row('T18-pg', 'rows', 'output CSV; PostgreSQL', rowCost, 4, 2),
  row('T18-pglite', 'rows', 'output CSV; PGlite', rowCost, 12, 8),
  row('T19-fast', 'e2e', 'server and children, peak Σ PSS; fast, (b), (c)', memory, 700, 600),
  row('T19-balanced', 'e2e', 'server and children, peak Σ PSS; (a) balanced', memory, 860, 760),
  row(
    'T19-slope',
    'soak',
    'worker tree, growth while soaking',
    { unit: 'MB/min', kind: 'memory', better: 'lower' },
    1,
    0.2,
  ),
  row(
    'T20-p50',
    'latency',
    'API read under a batch ÷ idle, p50',
    { unit: 'ratio', kind: 'wall', better: 'lower' },
    1.5,
    1.2,
  ),
  row(
    'T20-p99',
    'latency',
    'API read under a batch ÷ idle, p99',
    { unit: 'ratio', kind: 'wall', better: 'lower' },
    4,
    2.5,
  ),
  row('T20-ms', 'latency', 'API read under a batch, p99', waiting, 20, 10),
  row('T21', 'latency', 'one photo (b) under 10,000 images, to done, p99', waiting, 400, 250),
  row('T22-live', 'latency', 'settle committed to SSE and WebSocket, p99', waiting, 100, 50),
  row('T22-webhook', 'latency', 'settle committed to webhook request, p99', waiting, 300, 150),
  row(
    'T23-lost',
    'crash',
    'kill -9 of a worker at 30 %: results lost or doubled',
    { unit: 'results', kind: 'count', better: 'lower' },
    0,
    0,
  ),
  row(
    'T23-resume',
    'crash',
    'kill -9 of a worker: resumes after the silence limit +',
    { unit: 's', kind: 'wall', better: 'lower' },
    5,
    2,
  ),
  row('T24', 'scale', '1 -> 2 -> 4 workers on the same cores', speedup, 0.94, 0.97),
  row(
    'T25-first',
    'start',
    'first start ever to first accepted job, embedded',
    { unit: 's', kind: 'wall', better: 'lower' },
    8,
    4,
  ),
  row(
    'T25-later',
    'start',
    'later start to first accepted job, embedded',
    { unit: 's', kind: 'wall', better: 'lower' },
    2.5,
    1.2,
  ),
];

export function targetOf(id: string): Target {
  const found = targets.find((each) => each.id === id);
  if (!found) throw new Error(`no row ${id} in targets.ts`);
  return found;
}
