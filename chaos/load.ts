// load.ts — what people send while things break: lists, forms, catalogs; and what they change of their mind afterwards.
//
// A request without an answer is repeated under its key until it has one, to whichever door is open. Who was refused for
// a reason of their own is a mistake of this harness or of the product, and is told.

import { setTimeout as sleep } from 'node:timers/promises';
import { seeded, type Chance } from './chance.ts';
import type { Act, Ledger, Order } from './ledger.ts';
import type { Outside } from './outside.ts';
import { actRequest, orderRequest, type Request } from './requests.ts';
import type { Servers } from './servers.ts';

export type LoadOptions = {
  urls: string[];
  outside: Outside;
  ledger: Ledger;
  servers: Servers;
  seed: number;
  /** Over so many ms, so many pictures are sent. */
  ms: number;
  images: number;
  /** One of them takes its worker down each time. */
  deadly: boolean;
};

export type Load = {
  /** Resolves when every request has its answer, or `ms` have passed; tells which have none, and what was said last. */
  answered(ms: number): Promise<string[]>;
  /** Answers that nobody expected. */
  strange: string[];
};

/** Longer than the product takes for anything on a machine that has other things to do as well. */
const patienceMs = 30_000;

export function startLoad(options: LoadOptions): Load {
  const { seed, ms } = options;
  const strange: string[] = [];
  const over = new AbortController();
  const open = new Map<string, string>();
  const orders = planOrders(seeded(seed, 'orders'), options.images);
  if (options.deadly)
    orders.push({ key: 'deadly', kind: 'list', first: 5_000_001, count: 9, webhook: true, deadly: true });
  const sent = orders.map(async (order) => {
    // Dice of its own: what one order meets must not change what another one does.
    const told = { strange, open, signal: over.signal, chance: seeded(seed, order.key) };
    await sleep(order.deadly ? 0 : told.chance.between(0, ms)); // five deaths take their time
    const id = await sendOrder(options, order, told);
    if (id !== undefined) await changeMind(options, { order, id }, told);
  });
  const all = Promise.all(sent);
  return {
    strange,
    async answered(withinMs) {
      await Promise.race([all, sleep(withinMs, undefined, { ref: false })]);
      over.abort();
      await all;
      return [...open].map(([request, last]) => `${request} has no answer; the last word was ${last}`);
    },
  };
}

/** One catalog that is expanded in chunks, some of middling size, and many small things. */
function planOrders(chance: Chance, images: number): Order[] {
  const orders: Order[] = [];
  let next = 1 + chance.below(1_000) * 10_000;
  const begin = next;
  const add = (kind: Order['kind'], count: number): number => {
    // Every fourth asks for pictures that somebody has asked for before: their results are shared.
    const again = next > begin && chance.below(4) === 0;
    const first = again ? chance.between(begin, Math.max(begin + 1, next - count)) : next;
    if (!again) next += count;
    const key = `order-${orders.length}-${chance.below(2 ** 30).toString(36)}`;
    const order: Order = { key, kind, first: Math.floor(first), count, webhook: chance.below(2) === 0 };
    orders.push(order);
    return count;
  };
  let left = images;
  if (images >= 900) left -= add('catalog', 510 + chance.below(200));
  while (left > 0) {
    const most = Math.min(left, Math.max(60, images / 6));
    const kind = chance.oneOf(['list', 'list', 'form', 'form', 'catalog', 'seed'] as const);
    if (kind === 'form') left -= add(kind, 1 + chance.below(6));
    else if (kind === 'list') left -= add(kind, 1 + chance.below(40));
    else left -= add(kind, 50 + chance.below(most));
  }
  return orders;
}

type Told = { strange: string[]; open: Map<string, string>; signal: AbortSignal; chance: Chance };

async function sendOrder(options: LoadOptions, order: Order, told: Told): Promise<string | undefined> {
  const request = orderRequest(order, options.outside);
  await options.ledger.write({ t: Date.now(), key: order.key, sent: order });
  // One in ten is sent by an impatient client: twice at the same moment.
  const twins = told.chance.below(10) === 0 ? 2 : 1;
  const answers = await Promise.all(Array.from({ length: twins }, () => insist(options, request, told)));
  let id: string | undefined;
  for (const answer of answers) {
    if (!answer) continue;
    const named = (answer.body.id ?? answer.body.request_id) as string | undefined;
    if (answer.status >= 300 || named === undefined) {
      told.strange.push(`${order.key} (${order.kind}): ${answer.status} ${JSON.stringify(answer.body)}`);
      continue;
    }
    id = named;
    await options.ledger.write({ t: Date.now(), key: order.key, ack: answer.status, id });
  }
  return id;
}

/** One in three is changed afterwards: canceled, retried, deleted, or robbed of rows by hand. */
async function changeMind(
  options: LoadOptions,
  { order, id }: { order: Order; id: string },
  told: Told,
): Promise<void> {
  const { ledger, servers } = options;
  const { chance } = told;
  if (order.deadly || chance.below(3) > 0) return;
  const kinds = ['cancel', 'retry', 'retry', 'cancel then retry', 'delete', ...(servers.database ? ['rows'] : [])];
  const kind = chance.oneOf(kinds);
  await sleep(chance.between(100, 6_000));
  if (kind === 'rows') return deleteRows(options, { order, id }, chance);
  for (const each of kind.split(' then ') as ('cancel' | 'retry' | 'delete')[]) {
    const act: Act = { key: `${each}-${order.key}`, kind: each, order: order.key };
    await ledger.write({ t: Date.now(), key: act.key, sent: act });
    const answer = await insist(options, actRequest(act, id), told);
    if (!answer) return;
    await ledger.write({ t: Date.now(), key: act.key, ack: answer.status, id: null });
    // 409: it runs, or nothing of it may be retried. 404: an earlier, unanswered deletion was done.
    if (answer.status >= 300 && ![404, 409].includes(answer.status))
      told.strange.push(`${act.key}: ${answer.status} ${JSON.stringify(answer.body)}`);
    await sleep(chance.between(500, 3_000));
  }
}

/** As an operator does it in psql. */
async function deleteRows(
  { ledger, servers }: LoadOptions,
  { order, id }: { order: Order; id: string },
  chance: Chance,
) {
  const from = 1 + chance.below(order.count);
  const act: Act = { key: `rows-${order.key}`, kind: 'rows', order: order.key, from, to: from + chance.below(8) };
  await ledger.write({ t: Date.now(), key: act.key, sent: act });
  const done = await servers
    .ask('delete from images where batch_id = $1 and position between $2 and $3', [id, act.from, act.to])
    .then(
      () => true,
      () => false,
    );
  // A catalog that is still expanding gets its later rows all the same, so this is no promise about them.
  if (done && order.count < 500) await ledger.write({ t: Date.now(), key: act.key, ack: 200, id: null });
}

type Answer = { status: number; body: Record<string, unknown> };

/** Asks until there is an answer that is one. Undefined when `signal` aborted before. */
async function insist({ urls }: LoadOptions, request: Request, told: Told): Promise<Answer | undefined> {
  const { signal, chance, open } = told;
  const name = `${request.method} ${request.path} ${request.headers['idempotency-key']}`;
  open.set(name, 'nothing');
  while (!signal.aborted) {
    const answer = await askOnce(chance.oneOf(urls), request, signal);
    const isLater =
      'fault' in answer || answer.status >= 500 || later.has(answer.status) || answer.body.code === inProgress;
    if (!isLater) {
      open.delete(name);
      return answer;
    }
    if (!signal.aborted) open.set(name, JSON.stringify(answer));
    await sleep(chance.between(200, 900));
  }
  return undefined;
}
/** Too many at once; and too slowly, which a server says that was frozen while the request came. */
const later = new Set([408, 429]);
const inProgress = 'idempotency_in_progress';

async function askOnce(base: string, request: Request, signal: AbortSignal): Promise<Answer | { fault: string }> {
  const { method, path, body, headers } = request;
  try {
    const response = await fetch(base + path, {
      method,
      headers,
      signal: AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]),
      ...(body && { body: body() }),
    });
    const text = await response.text();
    const parsed = text === '' ? {} : (JSON.parse(text) as Record<string, unknown> & { detail?: unknown });
    return { status: response.status, body: parsed };
  } catch (error) {
    const { message, cause } = error as Error & { cause?: NodeJS.ErrnoException };
    return { fault: `${message} ${cause?.code ?? ''}` }; // cut, refused, reset, or no JSON because it was cut
  }
}
