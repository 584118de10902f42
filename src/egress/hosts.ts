// hosts.ts — how polite we are to each host, in the memory of this process.
//
// A host that struggles gets fewer connections, a host that asks for a pause gets it, a host that is gone is left alone
// and then asked once. Nobody waits here for a blocked host: `enter` rejects, the worker parks the image, and a dead
// host costs neither attempts nor slots.

import { imageSentence, problemSaying, type Problem } from '../problem.ts';
import type { Hosts, HostState } from './egress.ts';
import { openGate, type Gate } from './gate.ts';
import { maxRetryAfterMs } from './limits.ts';

type Host = {
  gate: Gate;
  /** What the host is allowed now; on probation it is one, whatever this says. */
  connections: number;
  successes: number;
  /** Failures to connect in a row. */
  failures: number;
  blockedUntil: number;
  /** After a block one request goes ahead, and the others wait for what it finds. */
  onProbation: boolean;
  /** Until when the others are told that it struggled here. */
  slowedUntil: number;
  touchedAt: number;
};

const successesPerStep = 20;
const failuresToBlock = 5;
const firstBlockMs = 30_000;
const longestBlockMs = 600_000;
const probeWaitMs = 1000;
const slowedForMs = 10_000;
const forgetAfterMs = 3_600_000;

// A silent host looks the same before and after the handshake, so timeouts count as failures to connect, too.
const unreachable = new Set(['connect_failed', 'dns_failure', 'timeout']);

/** Keeps the politeness of all hosts; `connections` is what a host gets that gives no reason for less. */
export function openHosts({ connections, now }: { connections: number; now: () => number }): Hosts {
  const hosts = new Map<string, Host>();
  const isBlocked = (host: Host) => host.blockedUntil > now();

  const hostOf = (name: string): Host => {
    const host = hosts.get(name) ?? newHost(connections, isBlocked);
    host.touchedAt = now();
    hosts.set(name, host);
    return host;
  };
  const block = (name: string, host: Host, until: number) => {
    host.blockedUntil = Math.max(host.blockedUntil, until);
    host.onProbation = true;
    host.gate.refuse(refusal(name, host, now()));
  };
  /** Hosts that behave are not remembered: a catalog may name a million of them. */
  const forget = (name: string, host: Host) => {
    const isQuiet = host.gate.active === 0 && host.gate.waiting === 0 && !isBlocked(host);
    if (isQuiet && (isOrdinary(host, connections) || host.touchedAt + forgetAfterMs < now())) hosts.delete(name);
  };

  return {
    async enter(name, signal) {
      const host = hostOf(name);
      if (isBlocked(host)) throw refusal(name, host, now());
      const permit = await host.gate.enter(signal);
      return {
        release() {
          permit.release();
          forget(name, host);
        },
      };
    },
    blockedFor(name) {
      const host = hosts.get(name);
      if (!host) return 0;
      if (isBlocked(host)) return host.blockedUntil - now();
      return host.onProbation && host.gate.active > 0 ? probeWaitMs : 0;
    },
    report(name, outcome) {
      const host = hostOf(name);
      if (outcome.ok) succeed(host, { most: connections, isBlocked: isBlocked(host) });
      else {
        const until = fail(host, outcome, { now: now(), isBlocked: isBlocked(host) });
        if (until !== undefined) block(name, host, until);
      }
      host.gate.wake();
      forget(name, host);
    },
    snapshot() {
      for (const [name, host] of hosts) forget(name, host);
      return [...hosts]
        .filter(([, host]) => !isOrdinary(host, connections))
        .map(([name, host]) => stateOf(name, host, now()));
    },
    merge(states) {
      const isAhead = (time: Date | undefined): time is Date => time !== undefined && time.getTime() > now();
      for (const { host: name, blockedUntil, slowedUntil, connections: allowed, failures } of states) {
        if (isAhead(slowedUntil)) {
          const host = hostOf(name);
          host.connections = Math.max(1, Math.min(host.connections, allowed));
        }
        if (!isAhead(blockedUntil)) continue;
        const host = hostOf(name);
        host.failures = Math.max(host.failures, failures);
        block(name, host, blockedUntil.getTime());
      }
    },
  };
}

function newHost(connections: number, isBlocked: (host: Host) => boolean): Host {
  const limit = () => {
    if (isBlocked(host)) return 0;
    return host.onProbation ? 1 : host.connections;
  };
  const host: Host = {
    gate: openGate(limit),
    connections,
    successes: 0,
    failures: 0,
    blockedUntil: 0,
    onProbation: false,
    slowedUntil: 0,
    touchedAt: 0,
  };
  return host;
}

function isOrdinary(host: Host, connections: number): boolean {
  return host.connections === connections && host.failures === 0 && !host.onProbation;
}

function succeed(host: Host, { most, isBlocked }: { most: number; isBlocked: boolean }): void {
  host.successes += 1;
  if (host.successes % successesPerStep === 0) host.connections = Math.min(most, host.connections + 1);
  // A request that began before the block says nothing about the host of now.
  if (isBlocked) return;
  host.failures = 0;
  host.onProbation = false;
}

type Failure = Extract<Parameters<Hosts['report']>[1], { ok: false }>;

/** Writes the failure down; returns until when the host must be left alone, if it must. */
function fail(host: Host, failure: Failure, { now, isBlocked }: { now: number; isBlocked: boolean }) {
  const pauseMs = Math.min(failure.retryAfterMs ?? 0, maxRetryAfterMs);
  // The requests that were under way when the block came must not count once more.
  if (isBlocked) return isAnswer(failure) && pauseMs > 0 ? now + pauseMs : undefined;
  if (asksForLess(failure)) {
    host.connections = Math.max(1, Math.floor(host.connections / 2));
    host.successes = 0;
    host.slowedUntil = now + slowedForMs;
  }
  if (isAnswer(failure)) {
    host.failures = 0;
    host.onProbation = false;
    return pauseMs > 0 ? now + pauseMs : undefined;
  }
  host.failures += 1;
  const doublings = host.failures - failuresToBlock;
  return doublings < 0 ? undefined : now + Math.min(longestBlockMs, firstBlockMs * 2 ** doublings);
}

const isAnswer = (failure: Failure) => !unreachable.has(failure.code);

function asksForLess({ code, httpStatus }: Failure): boolean {
  if (code === 'server_error') return httpStatus === undefined || httpStatus === 503;
  return code === 'rate_limited' || code === 'timeout';
}

function refusal(name: string, host: Host, now: number): Problem {
  const code = host.failures >= failuresToBlock ? 'connect_failed' : 'rate_limited';
  return problemSaying(code, imageSentence(code), { host: name, retryAfterMs: host.blockedUntil - now });
}

function stateOf(name: string, { connections, failures, ...host }: Host, now: number): HostState {
  const ifAhead = (time: number) => (time > now ? new Date(time) : undefined);
  const [blockedUntil, slowedUntil] = [ifAhead(host.blockedUntil), ifAhead(host.slowedUntil)];
  return { host: name, blockedUntil, slowedUntil, connections, failures };
}
