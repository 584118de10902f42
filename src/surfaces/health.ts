// health.ts — is it alive, is it ready, and what is wrong: /livez, /readyz, /health.
//
// A broker that is down only slows the work: intake is safe in the database, so the house stays ready. /livez touches
// nothing, or a slow disk would get the process killed.

import Type, { type TSchema } from 'typebox';
import type { App } from '../app.ts';
import { workload } from '../batches/read.ts';
import type { Http } from '../http/http.ts';
import { version } from '../version.ts';
import type { Surface } from './surface.ts';

export const health: Surface = {
  name: 'health',
  summary: 'Alive, ready, well.',
  routes(http, app) {
    const look = remembered(2000, () => lookAround(http, app));
    const weigh = remembered(500, () => workload(app).catch(() => undefined));
    addProbes(http, look);
    addHealth(http, app, { look, weigh });
  },
};

type Check = { name: string; ok: boolean; detail: string | null; ms: number };
type Look = () => Promise<Check[]>;
type Weigh = () => Promise<Awaited<ReturnType<typeof workload>> | undefined>;

const tags = ['health'];
/** Without these no request can be served; the others only slow the work. */
const vital = new Set(['database', 'storage', 'server']);

const word = Type.Enum(['ok', 'degraded', 'unavailable']);
const orNull = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()]);
const alive = Type.Object({ status: Type.Literal('ok') });
const ready = Type.Object({
  status: word,
  checks: Type.Array(
    Type.Object({ name: Type.String(), ok: Type.Boolean(), detail: orNull(Type.String()), ms: Type.Number() }),
  ),
});
/** Who has no key where keys exist is told the state alone. */
const well = Type.Object({
  status: word,
  checks: Type.Record(Type.String(), Type.Enum(['ok', 'unavailable'])),
  version: Type.Optional(Type.String()),
  summary: Type.Optional(Type.String({ description: 'What is wrong, in a sentence.' })),
  node: Type.Optional(Type.String()),
  engines: Type.Optional(Type.Object({ database: Type.String(), queue: Type.String(), storage: Type.String() })),
  waiting: Type.Optional(orNull(Type.Integer())),
  oldest_seconds: Type.Optional(orNull(Type.Number())),
  workers: Type.Optional(orNull(Type.Object({ alive: Type.Integer(), silent: Type.Integer() }))),
});

function addProbes(http: Http, look: Look): void {
  http.get(
    '/livez',
    {
      config: { scope: 'public' },
      schema: { tags, operationId: 'livez', summary: 'Is the process alive?', response: { 200: alive } },
    },
    async () => ({ status: 'ok' as const }),
  );
  http.get(
    '/readyz',
    {
      config: { scope: 'public' },
      schema: { tags, operationId: 'readyz', summary: 'Does it take work?', response: { 200: ready, 503: ready } },
    },
    async (_request, reply) => {
      const checks = await look();
      const takesWork = isReady(checks);
      const degraded = checks.some(({ ok }) => !ok);
      if (!takesWork) reply.code(503).header('retry-after', '5');
      return {
        status: !takesWork ? ('unavailable' as const) : degraded ? ('degraded' as const) : ('ok' as const),
        checks,
      };
    },
  );
}

function addHealth(http: Http, app: App, { look, weigh }: { look: Look; weigh: Weigh }): void {
  http.get(
    '/health',
    {
      config: { scope: 'public' },
      schema: {
        tags,
        operationId: 'health',
        summary: 'What is wrong, in a sentence',
        response: { 200: well, 503: well },
      },
    },
    async (request, reply) => {
      const checks = await look();
      const takesWork = isReady(checks);
      if (!takesWork) reply.code(503).header('retry-after', '5');
      const status = wordOf(takesWork);
      const words = Object.fromEntries(checks.map(({ name, ok }) => [name, wordOf(ok)]));
      if (!request.caller) return { status, checks: words };
      const load = await weigh();
      return {
        status,
        version,
        checks: words,
        summary: summaryOf(checks),
        node: process.version,
        engines: { database: app.db.engine, queue: app.queue.name, storage: app.storage.name },
        waiting: load?.waiting ?? null,
        oldest_seconds: load?.oldestSeconds ?? null,
        workers: load?.workers ?? null,
      };
    },
  );
}

const wordOf = (ok: boolean): 'ok' | 'unavailable' => (ok ? 'ok' : 'unavailable');
const isReady = (checks: Check[]): boolean => checks.every(({ name, ok }) => ok || !vital.has(name));

function summaryOf(checks: Check[]): string {
  const wrong = checks.filter(({ ok }) => !ok).map(({ name, detail }) => (detail ? `${name}: ${detail}` : name));
  return wrong.length === 0 ? 'Everything works.' : `Not well: ${wrong.join('; ')}.`;
}

async function lookAround(http: Http, app: App): Promise<Check[]> {
  return Promise.all([
    check('server', async () => ({ ok: !http.draining, detail: http.draining ? 'is stopping' : undefined })),
    check('database', async () => ({ ok: await app.db.healthy() })),
    check('storage', () => app.storage.room()),
    check('queue', () => app.queue.healthy()),
    check('sandbox', async () => app.sandbox.healthy()),
  ]);
}

type Found = { ok: boolean; detail?: string | undefined };

/** A part that does not answer within two seconds is not well. */
async function check(name: string, ask: () => Promise<Found>): Promise<Check> {
  const began = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Found>((resolve) => {
    timer = setTimeout(() => resolve({ ok: false, detail: 'does not answer' }), 2000);
  });
  const found = await Promise.race([ask(), late]).catch((): Found => ({ ok: false, detail: 'failed' }));
  clearTimeout(timer);
  return { name, ok: found.ok, detail: found.detail ?? null, ms: Math.round(performance.now() - began) };
}

/** How long an answer may be late before the last one is given instead, and how old that one may be. */
const patienceMs = 25;
const staleMs = 6000;

/**
 * What `make` found, for `ms` as it is. After that it is asked again, and while a crowd keeps it from answering at once, the
 * last answer stands for some seconds: a house that is busy is not to look like one that is away.
 */
function remembered<T>(ms: number, make: () => Promise<T>): () => Promise<T> {
  let last: { value: T; at: number } | undefined;
  let making: Promise<T> | undefined;
  const anew = async (): Promise<T> => {
    try {
      const value = await make();
      last = { value, at: performance.now() };
      return value;
    } finally {
      making = undefined;
    }
  };
  return async () => {
    const age = last ? performance.now() - last.at : Infinity;
    if (last && age <= ms) return last.value;
    making ??= anew();
    if (!last || age > staleMs) return making;
    const { value } = last;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<T>((resolve) => {
      timer = setTimeout(() => resolve(value), patienceMs);
    });
    return Promise.race([making, late]).finally(() => clearTimeout(timer));
  };
}
