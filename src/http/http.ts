// http.ts — the words of this room: the server with typed routes, who is asking, and what the surfaces hand in.
//
// This room knows HTTP and no dialect. What differs between surfaces comes in: their routes, and the shape of an error
// by path, because a request that matches no route still deserves an answer its client can read.

import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import type { TSchema } from 'typebox';
import type { App } from '../app.ts';
import type { Problem } from '../problem.ts';
import type { Identity } from './identity.ts';
import type { Limits } from './limits.ts';
import type { Live } from './live.ts';

export type Http = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;
export type Ask = FastifyRequest;
export type Answering = FastifyReply;

/** What a route demands of its caller once keys exist. A route without one is refused at registration. */
export type Scope = 'public' | 'read' | 'write' | 'admin';

/**
 * Who sends a request. `sees` is the owner whose rows are visible; undefined = all rows (open mode, admin keys). `key`: the
 * id of the key, whose share of the limits is used; '' is DARKROOM_API_KEY.
 */
export type Caller = { owner: string; scope: 'read' | 'write' | 'admin'; sees: string | undefined; key?: string };

/** Facts of a request that an error body may repeat. */
export type Where = { path: string; requestId: string; publicUrl: string };
export type ErrorBody = { status: number; body: unknown; type?: string };
export type ErrorShape = (problem: Problem, where: Where) => ErrorBody;

/** The routes of one surface. */
export type RouteSet = {
  name: string;
  summary: string;
  routes(http: Http, app: App): void | Promise<void>;
};

/** What the server needs of all surfaces together. */
export type RouteSets = { sets: readonly RouteSet[]; shapeOf(path: string): ErrorShape };

/** One row of the generated route table. HEAD comes with GET and is not listed. */
export type RouteRow = { method: string; path: string; scope: Scope };

declare module 'fastify' {
  // oxlint-disable-next-line typescript/consistent-type-definitions -- only an interface can be added to
  interface FastifyContextConfig {
    /** The bodies that a route reads by itself, by media type: for the documents alone. */
    bodies?: Readonly<Record<string, TSchema>>;
    scope?: Scope;
  }
  // oxlint-disable-next-line typescript/consistent-type-definitions -- only an interface can be added to
  interface FastifyRequest {
    /** Undefined where no key was sent and none is needed. */
    caller: Caller | undefined;
  }
  // oxlint-disable-next-line typescript/consistent-type-definitions -- only an interface can be added to
  interface FastifyInstance {
    /** Every route that was registered, for tests and the Allow header. */
    routeTable: RouteRow[];
    /** True once the server is about to stop. */
    draining: boolean;
    identity: Identity;
    limits: Limits;
    /** The news of the house, for all who follow them. */
    live: Live;
  }
}

/** The caller of a route that is not public: the door (auth.ts) has seen to it that there is one. */
export function callerOf(request: { caller: Caller | undefined }): Caller {
  if (!request.caller) throw new Error('a public route asked who its caller is');
  return request.caller;
}
