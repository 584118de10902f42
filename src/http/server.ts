// server.ts — the HTTP server: one door for all surfaces, hardened once.
//
// Order of checks, the same for every route: size and origin, 404, 405, key, then what the route itself demands. Every
// limit ends in a status, never in a crash; every answer carries the headers of headers.ts. A surface adds its routes
// and nothing else; what an error looks like is asked of the surfaces by path.

import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import Fastify, { type FastifyHttpOptions } from 'fastify';
import type { App } from '../app.ts';
import { problem } from '../problem.ts';
import { dress, problemAnswerer, type Answerer } from './answer-problem.ts';
import { isLoopback } from './address.ts';
import { openDoor } from './auth.ts';
import { registerCookies } from './cookie.ts';
import { addDocs } from './docs.ts';
import { problemFrom } from './faults.ts';
import { requestIdOf } from './headers.ts';
import type { Answering, Ask, Http, RouteSets } from './http.ts';
import { openIdentity } from './identity.ts';
import { openLimits } from './limits.ts';
import { openLive } from './live.ts';
import { watchLoad } from './load.ts';
import { registerForms } from './multipart.ts';
import { originRules } from './origins.ts';
import { answerParserErrors } from './parser-errors.ts';
import { answerUnmatched, gatherRoutes, pathOf } from './paths.ts';
import { isHandshake, watchHandshakes } from './sockets.ts';
import { compileSchema } from './validate.ts';
import { boundLeftover, patience, watchBody, watchReader, type Patience } from './watchdog.ts';
import { addWeb } from './web.ts';

export type Served = { url: string; http: Http; stop(): Promise<void> };

const maxHops = 3;
const sockets = { all: 2000, perAddress: 100 };

/** Builds the server and listens on HOST and PORT. `stop` lets running requests end. */
export async function openServer(app: App, routes: RouteSets): Promise<Served> {
  const http = await buildServer(app, routes);
  await http.listen({ host: app.config.host, port: app.config.port, backlog: 511 });
  const { port } = http.server.address() as AddressInfo;
  const host = app.config.host.includes(':') ? `[${app.config.host}]` : app.config.host;
  return { url: `http://${host}:${port}`, http, stop: () => stopServer(http) };
}

/** Whoever waits for a batch to end (`?wait=`) may ask the next process; everybody else is answered long before. */
const graceMs = 5_000;

async function stopServer(http: Http): Promise<void> {
  http.draining = true;
  const late = setTimeout(() => http.server.closeAllConnections(), graceMs);
  await http.close();
  clearTimeout(late);
}

/** The server without a port; tests ask it by `inject`. */
export async function buildServer(app: App, routes: RouteSets, limits: Patience = patience): Promise<Http> {
  const answer = problemAnswerer(app, routes);
  const http: Http = Fastify(optionsOf(app, routes, answer)).withTypeProvider<TypeBoxTypeProvider>();
  http.decorate('draining', false);
  const identity = await openIdentity(app);
  http.addHook('onClose', () => identity.close());
  http.decorate('identity', identity);
  http.decorate('limits', openLimits(app.config, identity.keyed));
  http.decorate('live', openLive(app));
  // Streams and sockets would keep the server open: who follows comes back to the next process.
  http.addHook('preClose', () => http.live.close());
  http.decorateRequest('caller', undefined);
  http.setValidatorCompiler(compileSchema);
  http.setSerializerCompiler(() => (data) => JSON.stringify(data));
  http.setErrorHandler((error, request, reply) => {
    // The framework would close with the answer to a body it cannot take, and who is still sending would be reset
    // before reading it. What still comes is thrown away, for as long as `boundLeftover` allows.
    if (isOfBody(error) && !http.draining) reply.removeHeader('connection');
    return answer(request, reply, problemFrom(error));
  });
  gatherRoutes(http);
  addBodies(http);
  guard(http, app, limits);
  limitSockets(http);
  watchHandshakes(http);
  // Not found is told after the guards have run: a hook of the root runs for unmatched paths too.
  http.setNotFoundHandler(answerUnmatched(http));
  await registerForms(http);
  await registerCookies(http);
  await addDocs(http, app, routes);
  addWeb(http);
  for (const set of routes.sets) await http.register(async (scope: Http) => set.routes(scope, app));
  await http.ready();
  return http;
}

function optionsOf(app: App, routes: RouteSets, answer: Answerer): FastifyHttpOptions<Server> {
  return {
    http: {
      shouldUpgradeCallback: isHandshake,
      headersTimeout: 10_000,
      connectionsCheckingInterval: 1000,
      maxHeaderSize: 16_384,
    },
    requestTimeout: 30 * 60_000,
    // Counts idle time while a handler waits, so it must exceed the longest ?wait= (60 s).
    connectionTimeout: 90_000,
    keepAliveTimeout: 10_000,
    bodyLimit: 1024 ** 2,
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
    trustProxy: app.config.trustProxy.length > 0 ? app.config.trustProxy : false,
    forceCloseConnections: 'idle',
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 300 },
    genReqId: requestIdOf,
    frameworkErrors: (error, request, reply) => {
      // The URL could not be decoded: no hook has run.
      dress(request, reply);
      answer(request, reply, problemFrom(error));
    },
    clientErrorHandler: answerParserErrors(routes.shapeOf, () => app.config.publicUrl),
  };
}

/**
 * JSON is parsed for everybody; any other body is left unread for the route that wants it. An empty JSON body is an absent
 * one: the framework would refuse it before the route can say what is missing.
 */
function addBodies(http: Http): void {
  const parse = http.getDefaultJsonParser('error', 'error');
  http.removeAllContentTypeParsers();
  http.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body.length === 0) done(null, undefined);
    else void parse(request, String(body), done);
  });
  http.addContentTypeParser('*', (_request, _body, done) => done(null, undefined));
}

function guard(http: Http, app: App, limits: Patience): void {
  const origins = originRules(app.config, http.identity.keyed);
  const door = openDoor({ identity: http.identity, limits: http.limits, origins });
  const load = watchLoad();
  http.addHook('onClose', () => load.stop());

  http.addHook('onRequest', async (request, reply) => {
    dress(request, reply);
    origins.allow(request, reply);
    if (http.draining) reply.header('connection', 'close');
    if (request.raw.rawHeaders.length > 200) throw problem('headers_too_large');
    if ((request.raw.url?.length ?? 0) > 8192) throw problem('url_too_long');
    origins.judge(request);
    if (load.overloaded() && pathOf(request.raw.url) !== '/livez')
      throw problem('overloaded', {}, { retryAfterMs: 2000 });
    watchIncoming(request, reply, limits);
    if (request.is404) return;
    request.caller = await door.admit(request, reply, request.routeOptions.config.scope ?? 'public');
    if (hopOf(request) > maxHops) throw problem('webhook_loop');
  });
  http.addHook('onSend', async (_request, reply, payload) => {
    // Small answers fit into the socket's buffer and cannot stall anybody.
    if (isStream(payload)) watchReader(reply.raw, limits);
    return payload;
  });
  http.addHook('onResponse', async (request, reply) => {
    boundLeftover(request.raw, limits);
    const facts = { request_id: request.id, method: request.method, path: pathOf(request.raw.url) };
    app.log.debug({ ...facts, status: reply.statusCode, ms: Math.round(reply.elapsedTime) }, 'answered');
    // The pattern of the route, never its path: a label must not hold an id.
    const route = request.routeOptions.url ?? 'none';
    app.metrics.request({ method: request.method, route, status: reply.statusCode, seconds: reply.elapsedTime / 1000 });
  });
}

function watchIncoming(request: Ask, reply: Answering, limits: Patience): void {
  const { 'content-length': length, 'transfer-encoding': coding, 'content-type': type } = request.headers;
  if (coding === undefined && (length === undefined || length === '0')) return;
  const quick = /^application\/json\b/i.test(type ?? '');
  watchBody(request.raw, quick, limits, () => {
    if (reply.sent) request.raw.destroy();
    else void reply.header('connection', 'close').send(problem('request_timeout'));
  });
}

/** How many of our own webhooks led to this request. */
export function hopOf(request: Ask): number {
  const header = request.headers['darkroom-hop'];
  return typeof header === 'string' && /^\d{1,4}$/.test(header) ? Number(header) : 0;
}

function limitSockets(http: Http): void {
  const open = new Map<string, number>();
  http.server.maxConnections = sockets.all;
  http.server.maxHeadersCount = 200;
  http.server.on('connection', (socket) => {
    const address = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
    if (isLoopback(address)) return;
    const count = (open.get(address) ?? 0) + 1;
    open.set(address, count);
    if (count > sockets.perAddress) socket.destroy();
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left > 0) open.set(address, left);
      else open.delete(address);
    });
  });
}

const isOfBody = (error: unknown): boolean =>
  String((Object(error) as { code?: unknown }).code).startsWith('FST_ERR_CTP_');
const isStream = (payload: unknown): boolean => typeof (Object(payload) as { pipe?: unknown }).pipe === 'function';
