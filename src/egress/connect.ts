// connect.ts — opens connections, and only to addresses that were judged.
//
// The name is resolved here, inside the connector, and the socket gets exactly those answers: whoever resolves first and
// fetches later is asked twice and may be told two things. The check belongs to the socket, so keep-alive is safe.
// Proxy variables of the environment have no say, and nothing turns the verification of certificates off.

import { isIP, type LookupFunction } from 'node:net';
import { callbackify } from 'node:util';
import type { Logger } from 'pino';
import { Agent, buildConnector, Pool } from 'undici';
import { problem } from '../problem.ts';
import { targetOf, type Target } from './allow.ts';
import { blocked, type Guard } from './check.ts';
import type { Purpose } from './egress.ts';
import { keepAliveMs, maxHeaderBytes, type Limits } from './limits.ts';
import { firstAnswers, type Resolve } from './resolve.ts';

export type Judge = {
  admits(target: Target, address: string): boolean;
  /** Makes the refusal; the address is for the log, never for the caller. */
  refuse(origin: URL, address: string): Error;
};

export type Parts = { resolve: Resolve; judge: Judge; limits: Limits; keepsAlive: boolean };

/** The judge of one purpose. A refused address goes to the log alone. */
export function judgeOf({ guard, log }: { guard: Guard; log: Logger }, purpose: Purpose): Judge {
  return {
    admits: (target, address) => guard.admits(target, address, purpose),
    refuse(origin, address) {
      log.warn({ host: origin.host, address, purpose }, 'refused to connect to an address');
      return blocked(origin);
    },
  };
}

/** An agent whose every pool connects through the judge. */
export function openAgent(parts: Parts): Agent {
  const { limits, keepsAlive } = parts;
  return new Agent({
    // A connector per origin, because only it knows host and port together: the allow list is about both.
    factory: (origin, options) =>
      new Pool(origin, { ...(options as Pool.Options), connect: connectorTo(new URL(origin), parts) }),
    connections: limits.connectionsPerHost,
    allowH2: false,
    pipelining: keepsAlive ? 1 : 0,
    keepAliveTimeout: keepAliveMs,
    // A host's own Keep-Alive header may shorten the wait but not stretch it.
    keepAliveMaxTimeout: keepAliveMs,
    maxHeaderSize: maxHeaderBytes,
    headersTimeout: limits.headersMs,
    bodyTimeout: limits.idleMs,
  });
}

function connectorTo(origin: URL, { resolve, judge, limits }: Parts): buildConnector.connector {
  const target = targetOf(origin);
  const dial = buildConnector({
    allowH2: false,
    timeout: limits.connectMs,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
    lookup: judgedLookup(origin, target, { resolve, judge }),
    autoSelectFamily: true,
    // Node's 250 ms would give up on every distant host that has two addresses.
    autoSelectFamilyAttemptTimeout: 1000,
  });

  return (options, done) => {
    // Node never looks literals up, so the lookup below would never see them.
    if (isIP(target.host) !== 0 && !judge.admits(target, target.host))
      return done(judge.refuse(origin, target.host), null);
    dial(options, (error, socket) => {
      if (error) return done(error, null);
      const peer = socket.remoteAddress;
      if (peer !== undefined && judge.admits(target, peer)) return done(null, socket);
      socket.on('error', () => {}).destroy();
      done(peer === undefined ? problem('connect_failed') : judge.refuse(origin, peer), null);
    });
  };
}

/** Any answer that is not admitted refuses the whole name: mixed answers are an attack or a mistake, never a need. */
function judgedLookup(
  origin: URL,
  target: Target,
  { resolve, judge }: Pick<Parts, 'resolve' | 'judge'>,
): LookupFunction {
  const answers = callbackify(async () => {
    const addresses = await resolve(target.host);
    if (addresses.length === 0) throw problem('dns_failure', {}, { host: origin.host });
    const foreign = addresses.find((each) => !judge.admits(target, each));
    if (foreign !== undefined) throw judge.refuse(origin, foreign);
    return firstAnswers(addresses).map((address) => ({ address, family: isIP(address) }));
  });
  return (_name, { all }, done) =>
    answers((error, found) => {
      if (error) done(error, []);
      else if (all) done(null, found);
      else done(null, found[0]?.address ?? '', found[0]?.family);
    });
}
