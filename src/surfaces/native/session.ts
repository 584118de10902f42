// session.ts — /v1/session: what the page may do, signing in with a key or a one-time link, signing out.

import type { App } from '../../app.ts';
import { csrfMissing, sessionOf } from '../../http/auth.ts';
import { clearCookie, cookieOf, setCookie } from '../../http/cookie.ts';
import type { Caller, Http } from '../../http/http.ts';
import { endSession, signInByKey, signInByLink } from '../../http/sessions.ts';
import { problemSaying } from '../../problem.ts';
import * as forms from './admin-schemas.ts';
import { invalid } from './submission.ts';

const tags = ['native'];
const scopes = ['read', 'write', 'admin'] as const;

export function addSession(http: Http, app: App): void {
  http.get(
    '/v1/session',
    {
      config: { scope: 'public' },
      schema: {
        tags,
        operationId: 'getSession',
        summary: 'Whether a key is needed, and what this caller may do',
        querystring: forms.noQuery,
        response: { 200: forms.session },
      },
    },
    async (request, reply) => {
      reply.header('cache-control', 'no-store');
      const signedIn = request.caller && (await sessionOf(http.identity, request));
      return sessionView(http, request.caller, signedIn?.csrf);
    },
  );
  addSignIn(http, app);
  http.delete(
    '/v1/session',
    {
      config: { scope: 'public' },
      schema: {
        tags,
        operationId: 'signOut',
        summary: 'Sign out',
        querystring: forms.noQuery,
        response: { 204: forms.nothing },
      },
    },
    async (request, reply) => {
      const token = cookieOf(request);
      if (token !== undefined) {
        if (!request.caller && (await sessionOf(http.identity, request))) throw csrfMissing();
        await endSession(app, token);
        await http.identity.changed();
        clearCookie(request, reply);
      }
      return reply.code(204).send(null);
    },
  );
}

function addSignIn(http: Http, app: App): void {
  http.post(
    '/v1/session',
    {
      config: { scope: 'public' },
      schema: {
        tags,
        operationId: 'signIn',
        summary: 'Sign in with a key, or with the token of a one-time link',
        querystring: forms.noQuery,
        body: forms.signIn,
        response: { 200: forms.session },
      },
    },
    async (request, reply) => {
      const { key, token } = request.body;
      if ((key === undefined) === (token === undefined)) throw invalid([], 'Exactly one of key and token is needed.');
      const attempt = http.limits.signIn(request);
      const made = key === undefined ? await signInByLink(app, token ?? '') : await signInByKey(app, key.trim());
      if (made === undefined) {
        attempt.failed();
        const message = key === undefined ? 'This link was used or is too old.' : 'This key is not known.';
        throw problemSaying('unauthorized', message, { headers: { 'www-authenticate': 'Bearer' } });
      }
      const signedIn = await http.identity.bySession(made);
      setCookie(request, reply, made);
      return sessionView(http, signedIn?.caller, signedIn?.csrf);
    },
  );
}

function sessionView(http: Http, caller: Caller | undefined, csrf: string | undefined) {
  const may = caller ? scopes.slice(0, scopes.indexOf(caller.scope) + 1) : [];
  return { auth_required: http.identity.keyed(), scopes: may, owner: caller?.owner ?? null, csrf_token: csrf ?? null };
}
