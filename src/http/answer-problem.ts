// answer-problem.ts — sends a Problem in the error shape of the path that was asked.

import type { App } from '../app.ts';
import type { Problem } from '../problem.ts';
import { securityHeaders } from './headers.ts';
import type { Answering, Ask, RouteSets } from './http.ts';
import { pathOf } from './paths.ts';

export type Answerer = (request: Ask, reply: Answering, found: Problem) => unknown;

/** Sends problems; those that are our own fault also go to the log, with their cause. */
export function problemAnswerer(app: App, routes: RouteSets): Answerer {
  return (request, reply, found) => {
    const path = pathOf(request.raw.url);
    const where = { path, requestId: request.id, publicUrl: app.config.publicUrl };
    const { status, body, type } = routes.shapeOf(path)(found, where);
    // Who hung up in the middle of a body reads no answer, and it was no fault of ours.
    const isGone = request.raw.destroyed && !request.raw.complete;
    if (status >= 500 && !isGone) logFault(app, request, found);
    const retryMs = found.facts.retryAfterMs ?? (isPassing.has(status) ? 5000 : undefined);
    if (retryMs !== undefined) reply.header('retry-after', String(Math.max(1, Math.ceil(retryMs / 1000))));
    return reply
      .code(status)
      .headers(found.facts.headers ?? {})
      .type(type ?? 'application/json; charset=utf-8')
      .send(JSON.stringify(body));
  };
}

/** The headers that every answer has; set first, so that errors carry them too. */
export function dress(request: Ask, reply: Answering): void {
  reply.headers(securityHeaders).header('x-request-id', request.id).header('cache-control', 'no-store');
  if (request.protocol === 'https') reply.header('strict-transport-security', 'max-age=31536000');
}

const isPassing = new Set([429, 503, 507]);

function logFault(app: App, request: Ask, found: Problem): void {
  const facts = { request_id: request.id, path: pathOf(request.raw.url), code: found.code };
  if (found.code === 'internal') app.log.error({ ...facts, err: found.cause }, 'a request failed by our own fault');
  else app.log.warn({ ...facts, err: found.cause }, 'a request was put off');
}
