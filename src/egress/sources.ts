// sources.ts — GETs pictures from hosts that users named.
//
// Redirects are followed by hand, because every hop has to pass all judgements again. What a redirect points at is never
// repeated to the caller: a public host could otherwise ask us about our own network and read the answer.

import type { Agent, Dispatcher } from 'undici';
import type { Logger } from 'pino';
import { Problem, problem, problemSaying, type Code } from '../problem.ts';
import type { Guard } from './check.ts';
import { judgeOf, openAgent } from './connect.ts';
import { openDeadline } from './deadline.ts';
import type { Egress, Fetched } from './egress.ts';
import { openGate } from './gate.ts';
import { maxRedirects, type Limits } from './limits.ts';
import { problemOfError, problemOfStatus } from './outcomes.ts';
import type { Ourselves } from './ourselves.ts';
import { discard, receive } from './receive.ts';
import type { Resolve } from './resolve.ts';
import { watchStalls } from './stalls.ts';

type Parts = { guard: Guard; log: Logger; resolve: Resolve; userAgent: string; limits: Limits; ourselves: Ourselves };
type Response = Dispatcher.ResponseData;

/** What a host that has not changed looks like to a process that was away. */
const mayBeOurs: readonly Code[] = ['timeout', 'connect_failed', 'dns_failure'];
const redirectStatuses: readonly number[] = [301, 302, 303, 307, 308];

export function openSources(parts: Parts): Pick<Egress, 'fetch' | 'close'> {
  const { guard, limits, ourselves } = parts;
  const gate = openGate(() => limits.connections);
  const stalls = watchStalls();
  const outside = openAgent({ ...parts, judge: judgeOf(parts, 'source'), keepsAlive: true });
  // Our own files: the address is the operator's setting, and only file routes lead here.
  const inside = openAgent({ ...parts, judge: { ...judgeOf(parts, 'source'), admits: () => true }, keepsAlive: true });

  const get = (url: URL, hop: number, signal: AbortSignal): Promise<Response> => {
    const internal = ourselves.find(url)?.internal;
    const { origin, pathname, search } = internal ?? url;
    const agent: Agent = internal ? inside : outside;
    const headers = {
      'user-agent': parts.userAgent,
      accept: 'image/*',
      'accept-encoding': 'identity',
      'darkroom-hop': `${hop + 1}`,
    };
    return agent.request({ origin, path: `${pathname}${search}`, method: 'GET', headers, signal });
  };

  const follow = async (first: URL, hop: number, signal: AbortSignal): Promise<Fetched> => {
    let url = first;
    for (let hops = 0; ; hops += 1) {
      try {
        const response = await get(url, hop, signal);
        if (!redirectStatuses.includes(response.statusCode)) return await take(response, url, limits);
        await discard(response.body);
        if (hops === maxRedirects) throw problem('too_many_redirects');
        url = nextHop(url, response.headers.location, guard);
      } catch (thrown) {
        throw hideHop(problemOfError(thrown, url.host), first);
      }
    }
  };

  return {
    async fetch(text, { signal, hop = 0 } = {}) {
      const url = guard.check(text, 'source');
      const permit = await gate.enter(signal);
      const deadline = openDeadline(limits.totalMs, signal);
      const began = performance.now();
      try {
        return await follow(url, hop, deadline.signal);
      } catch (thrown) {
        signal?.throwIfAborted();
        if (!(thrown instanceof Problem) || !mayBeOurs.includes(thrown.code) || !stalls.since(began)) throw thrown;
        throw problem('unavailable', {}, { host: url.host, cause: thrown });
      } finally {
        deadline.end();
        permit.release();
      }
    },
    async close() {
      stalls.close();
      await Promise.all([outside.destroy(), inside.destroy()]);
    },
  };
}

async function take(response: Response, url: URL, { maxBody, graceMs }: Limits): Promise<Fetched> {
  const fault = faultOf(response, url, maxBody);
  if (fault) {
    await discard(response.body);
    throw fault;
  }
  const received = await receive(response.body, { limit: maxBody, graceMs, tooLong: () => tooLong(maxBody) });
  if (received.bytes === 0) throw problem('empty_body', {}, { httpStatus: 200 });
  return { ...received, host: url.host };
}

/** What the status line and the headers already tell against a response. */
function faultOf({ statusCode, headers }: Response, url: URL, maxBody: number): Problem | undefined {
  if (statusCode !== 200) return problemOfStatus(statusCode, headers, url.host);
  // Not asked for, so never unpacked: 25 MiB may hold 25 GiB.
  if (headers['content-encoding'] !== undefined) return problem('content_encoding', {}, { httpStatus: 200 });
  return Number(headers['content-length'] ?? 0) > maxBody ? tooLong(maxBody) : undefined;
}

function tooLong(maxBody: number): Problem {
  const limit = maxBody >= 1024 ** 2 ? `${Math.floor(maxBody / 1024 ** 2)} MB` : `${maxBody} bytes`;
  return problem('too_large', { limit, setting: 'DARKROOM_MAX_FILE' }, { httpStatus: 200 });
}

function nextHop(from: URL, location: string | string[] | undefined, guard: Guard): URL {
  if (typeof location !== 'string') throw problem('invalid_redirect');
  // Header bytes arrive one per character, but hosts write names of files in UTF-8.
  const text = Buffer.from(location, 'latin1').toString();
  if (text.includes('\\') || !URL.canParse(text, from.href)) throw problem('invalid_redirect');
  const url = guard.check(new URL(text, from).href, 'source');
  if (from.protocol === 'https:' && url.protocol === 'http:') throw problem('invalid_redirect');
  return url;
}

/** Says the refusal of a later hop in words that name only the host the caller typed. */
function hideHop(thrown: unknown, first: URL): unknown {
  if (!(thrown instanceof Problem)) return thrown;
  const facts = { ...thrown.facts, host: first.host, cause: thrown };
  if (thrown.code === 'invalid_url') return problem('invalid_redirect', {}, facts);
  if (thrown.code !== 'blocked_address' || thrown.facts.host === first.host) return thrown;
  const sentence = `blocked_address: ${first.host} redirects to an address that may not be fetched from here`;
  return problemSaying('blocked_address', sentence, facts);
}
