// webhooks.ts — carries every delivery to its receiver, however often that takes.
//
// The row is written by the transaction that closes a batch, so a delivery exists exactly if its event does. This loop
// claims what is due, composes and signs the body, posts it and writes down how it went. At least once: what a dead
// worker was sending is sent again under the same `webhook-id`, by which a receiver knows the repetition.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Uses } from '../app.ts';
import { asProblem, problem } from '../problem.ts';
import { claimDeliveries, freezeBody, giveBack, releaseLostDeliveries, settleDelivery, type Claimed } from './claim.ts';
import type { ComposeWebhook, DeliveryTry, WebhookBody } from './notify.ts';
import { deliverySchedule, judge, type Answer, type Verdict } from './schedule.ts';
import { ownerSecrets, signatureHeaders } from './signing.ts';

const perClaim = 8;
const perHost = 4;
const atOnce = 32;
const lookForLostMs = 2000;

type Needs = Uses<'db' | 'egress' | 'config' | 'log'>;

export type DeliverOptions = {
  worker: string;
  compose: ComposeWebhook;
  /** Stops claiming; what is being sent has `graceMs` to end, then it is cut off and put back. */
  signal: AbortSignal;
  graceMs?: number;
  schedule?: readonly number[];
  /** Calls its argument when a delivery may have become due; without it the table is asked by the clock. */
  wake?: (hear: () => void) => () => void;
  pollMs?: number;
  /** 0 to 1, for the jitter. */
  random?: () => number;
  /** Hears what each try made of its delivery. */
  noted?: (state: Verdict['state']) => void;
};

/** Delivers until `signal` aborts. Rejects never: faults of the database are logged and waited out. */
export async function deliverWebhooks(app: Needs, options: DeliverOptions): Promise<void> {
  const { signal, worker, pollMs = 2000, graceMs = 5000 } = options;
  const sending = new Set<Promise<void>>();
  const busy = new Map<string, number>();
  const cut = new AbortController();
  const bell = openBell(signal);
  const sleepAgain = options.wake?.(bell.ring);

  for (let lookAt = 0; !signal.aborted;) {
    if (performance.now() >= lookAt) {
      lookAt = performance.now() + lookForLostMs;
      await releaseSafely(app, worker);
    }
    const limit = Math.min(perClaim, atOnce - sending.size);
    const claimed = limit > 0 ? await claimSafely(app, { worker, limit, perHost, busy }) : [];
    for (const each of claimed) {
      busy.set(each.host, (busy.get(each.host) ?? 0) + 1);
      const sent = deliver(app, each, options, cut.signal).finally(() => {
        sending.delete(sent);
        const left = (busy.get(each.host) ?? 1) - 1;
        if (left > 0) busy.set(each.host, left);
        else busy.delete(each.host);
        bell.ring();
      });
      sending.add(sent);
    }
    if (claimed.length < limit || limit === 0) await bell.wait(pollMs);
  }

  sleepAgain?.();
  const grace = setTimeout(() => cut.abort(), graceMs);
  await Promise.all(sending);
  clearTimeout(grace);
}

/** Every worker looks after the deliveries of the dead: there may be no other. */
async function releaseSafely(app: Needs, worker: string): Promise<void> {
  try {
    const deliveries = await releaseLostDeliveries(app.db, worker);
    if (deliveries > 0) app.log.warn({ deliveries }, 'deliveries of a lost worker are due again');
  } catch (error) {
    app.log.warn({ err: error }, 'deliveries of lost workers could not be looked for');
  }
}

async function claimSafely(app: Needs, options: Parameters<typeof claimDeliveries>[1]): Promise<Claimed[]> {
  try {
    return await claimDeliveries(app.db, options);
  } catch (error) {
    app.log.warn({ err: error }, 'deliveries could not be claimed');
    return [];
  }
}

/** One try from composing to settling. Never rejects. */
async function deliver(app: Needs, claimed: Claimed, options: DeliverOptions, cut: AbortSignal): Promise<void> {
  const facts = {
    delivery: claimed.id,
    batch: claimed.batch_id,
    attempt: claimed.attempts,
    url: loggable(claimed.url),
  };
  try {
    const { answer, verdict } = await attempt(app, claimed, options, cut);
    const entry = entryOf(claimed, answer);
    const ours = await persistently(app, cut, () => settleDelivery(app.db, claimed, { verdict, entry }));
    if (ours) options.noted?.(verdict.state);
    const told = { ...facts, status: entry.status, error: entry.error, ms: entry.ms };
    if (!ours) app.log.warn(told, 'webhook was sent by a worker thought dead');
    else if (verdict.state === 'delivered') app.log.info(told, 'webhook delivered');
    else if (verdict.state === 'queued') app.log.warn(told, 'webhook will be tried again');
    else app.log.error(told, 'webhook given up');
  } catch (error) {
    // The database or the composing failed, or we are stopping: not the receiver's fault, so the try is given back.
    if (!cut.aborted) app.log.warn({ ...facts, err: error }, 'webhook put back');
    const waitMs = cut.aborted ? 0 : 5000;
    await persistently(app, cut, () => giveBack(app.db, claimed, waitMs)).catch((failure: unknown) =>
      app.log.error({ ...facts, err: failure }, 'webhook could not be put back'),
    );
  }
}

async function attempt(
  app: Needs,
  claimed: Claimed,
  options: DeliverOptions,
  cut: AbortSignal,
): Promise<{ answer: Answer; verdict: Verdict }> {
  const { schedule = deliverySchedule, random = Math.random } = options;
  if (claimed.disabled) return giveUp('receiver_disabled');
  // More tries than planned: each of them ended with the worker's death.
  if (claimed.attempts > schedule.length) return giveUp('worker_lost');
  const content = await bodyOf(app, claimed, options.compose);
  if (!content) return giveUp('expired');

  const { secrets } = await ownerSecrets(app, claimed.owner);
  const answer = await post(app, claimed, { content, secrets, cut });
  cut.throwIfAborted();
  return { answer, verdict: judge(answer, claimed.attempts, schedule, random()) };
}

function giveUp(code: 'receiver_disabled' | 'expired' | 'worker_lost'): { answer: Answer; verdict: Verdict } {
  return { answer: { problem: problem(code), ms: 0 }, verdict: { state: 'dead', gone: false } };
}

/** JSON is frozen at the first try. A multipart body holds the CSV and may be large: it is composed at each try. */
async function bodyOf(app: Needs, claimed: Claimed, compose: ComposeWebhook): Promise<WebhookBody | undefined> {
  if (claimed.body !== null) return { contentType: 'application/json', body: Buffer.from(claimed.body) };
  const { batch_id: batchId, generation, format } = claimed;
  const content = await compose({ batchId, generation, format });
  if (content && format === 'json') await freezeBody(app.db, claimed, content.body.toString());
  return content;
}

async function post(
  app: Needs,
  claimed: Claimed,
  what: { content: WebhookBody; secrets: readonly string[]; cut: AbortSignal },
): Promise<Answer> {
  const { content, secrets, cut } = what;
  const signature = signatureHeaders(secrets, { id: `msg_${claimed.id}`, at: claimed.claimed_at, body: content.body });
  const headers = { 'content-type': content.contentType, ...signature };
  const begun = performance.now();
  try {
    return await app.egress.post(claimed.url, { headers, body: content.body, signal: cut, hop: claimed.hop });
  } catch (error) {
    cut.throwIfAborted();
    // Our own machine could not even connect: no fault of the receiver.
    if (asProblem(error).code === 'unavailable') throw error;
    return { problem: asProblem(error), ms: Math.round(performance.now() - begun) };
  }
}

function entryOf(claimed: Claimed, answer: Answer): DeliveryTry {
  const at = claimed.claimed_at.toISOString();
  if ('status' in answer)
    return { at, status: answer.status, ms: Math.round(answer.ms), excerpt: answer.excerpt, error: null };
  return { at, status: null, ms: answer.ms, excerpt: '', error: answer.problem.code };
}

/**
 * Repeats a write until the database is back: without it the row would stay "sending" as long as this worker lives.
 * After `cut` only once more, and the reaper sees to the rest.
 */
async function persistently<T>(app: Needs, cut: AbortSignal, write: () => Promise<T>): Promise<T> {
  for (let waitMs = 100; ; waitMs = Math.min(waitMs * 2, 5000)) {
    try {
      return await write();
    } catch (error) {
      if (cut.aborted) throw error;
      app.log.warn({ err: error }, 'the end of a delivery could not be written down');
      await sleep(waitMs, undefined, { signal: cut }).catch(() => undefined);
    }
  }
}

/** Queries of receivers' URLs hold secrets. */
function loggable(url: string): string {
  if (!URL.canParse(url)) return '';
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

function openBell(signal: AbortSignal): { ring: () => void; wait: (ms: number) => Promise<void> } {
  let rung = false;
  let wakeUp: (() => void) | undefined;
  const ring = (): void => {
    rung = true;
    wakeUp?.();
  };
  signal.addEventListener('abort', ring, { once: true });
  return {
    ring,
    async wait(ms) {
      // A batch at work rings fifty times a second; the table is asked ten times at most.
      const brake = sleep(100, undefined, { signal }).catch(() => undefined);
      if (!rung) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms);
          wakeUp = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      await brake;
      rung = false;
      wakeUp = undefined;
    },
  };
}
