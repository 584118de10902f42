// webhooks.ts — POSTs to receivers that users named.
//
// Any answer is a Reply, a redirect too: following one would send a signed body to somebody who was not chosen. Receivers
// are written by strangers and called seldom, so connections are not kept.

import type { Logger } from 'pino';
import type { Guard } from './check.ts';
import { judgeOf, openAgent } from './connect.ts';
import { openDeadline } from './deadline.ts';
import type { Egress, Reply } from './egress.ts';
import { openGate } from './gate.ts';
import type { Limits } from './limits.ts';
import { problemOfError, retryAfterMs } from './outcomes.ts';
import { readExcerpt } from './receive.ts';
import type { Resolve } from './resolve.ts';

type Parts = { guard: Guard; log: Logger; resolve: Resolve; userAgent: string; limits: Limits };

const excerptBytes = 1024;

export function openWebhooks(parts: Parts): Pick<Egress, 'post' | 'close'> {
  const { guard, limits, userAgent } = parts;
  const gate = openGate(() => limits.connections);
  const agent = openAgent({ ...parts, judge: judgeOf(parts, 'webhook'), keepsAlive: false });

  const send = async (url: URL, request: Parameters<Egress['post']>[1], signal: AbortSignal): Promise<Reply> => {
    const begun = performance.now();
    const { statusCode, headers, body } = await agent.request({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method: 'POST',
      headers: { ...request.headers, 'user-agent': userAgent, 'darkroom-hop': `${(request.hop ?? 0) + 1}` },
      body: request.body,
      signal,
    });
    const excerpt = await readExcerpt(body, { limit: excerptBytes, maxBody: limits.maxBody });
    const ms = Math.round(performance.now() - begun);
    return { status: statusCode, ms, excerpt, retryAfterMs: retryAfterMs(headers) };
  };

  return {
    async post(text, request) {
      const url = guard.check(text, 'webhook');
      const permit = await gate.enter(request.signal);
      const deadline = openDeadline(limits.totalMs, request.signal);
      try {
        return await send(url, request, deadline.signal);
      } catch (thrown) {
        request.signal?.throwIfAborted();
        throw problemOfError(thrown, url.host);
      } finally {
        deadline.end();
        permit.release();
      }
    },
    close: () => agent.destroy(),
  };
}
