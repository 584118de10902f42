// limits.ts — how often somebody may ask once there are keys, and how much he may hold open: in the memory of this process.
//
// Each key has a bucket for reads and one for writes; who has no key shares one per address. A bucket refills steadily and
// holds a sixth of a minute's worth, so that a burst passes and a flood does not. A library that counts in fixed windows
// would let twice the rate through where two windows meet, and knows no bursts.

import type { Config } from '../config.ts';
import { problem, problemSaying } from '../problem.ts';
import { clientOf } from './address.ts';
import type { Answering, Ask, Caller, Scope } from './http.ts';

export type Limits = {
  /** Counts a request; throws `rate_limited` when there were too many. Public routes are for everybody. */
  judge(request: Ask, reply: Answering, who: { caller: Caller | undefined; scope: Scope }): void;
  /** Throws while an address has failed to sign in too often; `failed` counts one more. */
  signIn(request: Ask): { failed(): void };
  /** The same for names of result files that do not exist: they are the permission, so nobody may guess them. */
  files(request: Ask): { missed(): void };
  /** Takes one of the places a key has for sockets and streams, until the function is called; throws `rate_limited`. */
  sit(caller: Caller): () => void;
};

type Rule = { name: string; perMinute: number; burst: number };

const strangers: Rule = { name: 'without-key', perMinute: 60, burst: 60 };
const signIns: Rule = { name: 'sign-in', perMinute: 10, burst: 10 };
const misses: Rule = { name: 'missed-files', perMinute: 100, burst: 100 };
/** Sockets and streams of a key at the same time. */
const mostSeats = 20;
const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);

/** `now` is in ms. */
export function openLimits(
  config: Pick<Config, 'rateReads' | 'rateWrites'>,
  keyed: () => boolean,
  now: () => number = () => performance.now(),
): Limits {
  const ruleOf = (name: string, perMinute: number): Rule => ({ name, perMinute, burst: Math.ceil(perMinute / 6) });
  const reads = openBuckets(ruleOf('reads', config.rateReads), now);
  const writes = openBuckets(ruleOf('writes', config.rateWrites), now);
  const byAddress = openBuckets(strangers, now);
  const failures = openBuckets(signIns, now);
  const lost = openBuckets(misses, now);
  const seats = openSeats();

  /** A bucket that only faults draw from: it is asked first, and drawn from when the fault has happened. */
  const faults = (buckets: Buckets, request: Ask): (() => void) => {
    if (!keyed()) return () => {};
    const who = clientOf(request.ip);
    const left = buckets.look(who);
    if (left.tokens < 1) throw tooMany(left);
    return () => void buckets.take(who);
  };

  return {
    judge(request, reply, { caller, scope }) {
      if (scope === 'public' || !keyed()) return;
      const isWrite = scope !== 'read' && !safeMethods.has(request.method);
      const buckets = caller ? (isWrite ? writes : reads) : byAddress;
      const left = buckets.take(caller ? nameOf(caller) : clientOf(request.ip));
      reply.headers(headersOf(buckets.rule, left));
      if (!left.taken) throw tooMany(left);
    },
    signIn: (request) => ({ failed: faults(failures, request) }),
    files: (request) => ({ missed: faults(lost, request) }),
    sit: (caller) => (keyed() ? seats.take(nameOf(caller)) : () => {}),
  };
}

const nameOf = ({ key, owner }: Caller): string => key ?? owner;

function openSeats() {
  const taken = new Map<string, number>();
  return {
    take(who: string): () => void {
      const before = taken.get(who) ?? 0;
      if (before >= mostSeats) {
        const message = `This key has ${mostSeats} sockets and streams open, and more it may not have: close one.`;
        throw problemSaying('rate_limited', message, { retryAfterMs: 1000 });
      }
      taken.set(who, before + 1);
      let isFree = false;
      return () => {
        if (isFree) return;
        isFree = true;
        const left = Number(taken.get(who)) - 1;
        if (left > 0) taken.set(who, left);
        else taken.delete(who);
      };
    },
  };
}

type Left = { taken: boolean; tokens: number; nextMs: number; fullMs: number };
type Buckets = { rule: Rule; take(who: string): Left; look(who: string): Left };
type Bucket = { tokens: number; at: number };

const mostBuckets = 10_000;

function openBuckets(rule: Rule, now: () => number): Buckets {
  const { perMinute, burst } = rule;
  const perMs = perMinute / 60_000;
  const buckets = new Map<string, Bucket>();

  const level = (bucket: Bucket): number => Math.min(burst, bucket.tokens + (now() - bucket.at) * perMs);
  const leftOf = (tokens: number, taken: boolean): Left => ({
    taken,
    tokens,
    nextMs: Math.max(0, 1 - tokens) / perMs,
    fullMs: (burst - tokens) / perMs,
  });
  /** Full buckets say nothing. When that is not enough, those that were used longest ago go. */
  const makeRoom = (): void => {
    for (const [who, bucket] of buckets) if (level(bucket) >= burst) buckets.delete(who);
    for (const who of buckets.keys()) {
      if (buckets.size < mostBuckets) break;
      buckets.delete(who);
    }
  };

  return {
    rule,
    look(who) {
      const bucket = buckets.get(who);
      return leftOf(bucket ? level(bucket) : burst, false);
    },
    take(who) {
      const bucket = buckets.get(who);
      const before = bucket ? level(bucket) : burst;
      const taken = before >= 1;
      const tokens = taken ? before - 1 : before;
      if (!bucket && buckets.size >= mostBuckets) makeRoom();
      // Taken out and put back: the map's order is that of the last use.
      buckets.delete(who);
      buckets.set(who, { tokens, at: now() });
      return leftOf(tokens, taken);
    },
  };
}

/** The headers of the IETF's draft on rate limits: what may be done, and what is left of it. */
function headersOf({ name, perMinute }: Rule, { tokens, fullMs }: Left): Record<string, string> {
  return {
    'ratelimit-policy': `"${name}";q=${perMinute};w=60`,
    ratelimit: `"${name}";r=${Math.floor(tokens)};t=${Math.ceil(fullMs / 1000)}`,
  };
}

const tooMany = ({ nextMs }: Left) => problem('rate_limited', {}, { retryAfterMs: nextMs });
