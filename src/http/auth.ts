// auth.ts — the door: who is asking, and whether that suffices.
//
// Without a key everything is open, which is right on loopback alone: `checkBind` refuses any other address. From the first
// key on every route that is not public needs a key or a session; a session also proves with each change that it is our
// own page which asks.

import { timingSafeEqual } from 'node:crypto';
import { ConfigMistakes, type Config } from '../config.ts';
import { problem, problemSaying } from '../problem.ts';
import { isLoopback } from './address.ts';
import { cookieOf } from './cookie.ts';
import type { Answering, Ask, Caller, Scope } from './http.ts';
import type { Identity, SignedIn } from './identity.ts';
import { hashOf } from './keys.ts';
import type { Limits } from './limits.ts';
import type { OriginRules } from './origins.ts';

const ranks = { public: 0, read: 1, write: 2, admin: 3 } as const satisfies Record<Scope, number>;
const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

/** Refuses to serve strangers without a key: throws {@link ConfigMistakes} that names both ways out. */
export function checkBind(config: Pick<Config, 'host' | 'apiKey' | 'insecureNoAuth'>, keyExists = false): void {
  if (keyExists || config.apiKey || config.insecureNoAuth || isLoopback(config.host)) return;
  throw new ConfigMistakes([
    `HOST=${config.host} would serve other machines without any key. Set DARKROOM_API_KEY or run \`darkroom key create\`, or start with --insecure-no-auth.`,
  ]);
}

export type Door = {
  /** The caller, undefined without a key; throws `unauthorized` when the route needs one, `forbidden` when its scope is too low. */
  admit(request: Ask, reply: Answering, scope: Scope): Promise<Caller | undefined>;
};

const everyone: Caller = { owner: '', scope: 'admin', sees: undefined };

export function openDoor(parts: { identity: Identity; limits: Limits; origins: Pick<OriginRules, 'isOwn'> }): Door {
  const { identity, limits, origins } = parts;
  return {
    async admit(request, reply, scope) {
      if (!identity.keyed()) return everyone;
      const sent = keyOf(request);
      const signedIn = sent === undefined ? await sessionOf(identity, request) : undefined;
      const caller = sent === undefined ? signedIn?.caller : await identity.byKey(sent);
      limits.judge(request, reply, { caller, scope });
      const forged = signedIn !== undefined && !isFromOurPage(request, signedIn, origins);
      if (ranks[scope] === ranks.public) return forged ? undefined : caller;
      if (!caller) throw unauthorized(sent === undefined);
      if (forged) throw csrfMissing();
      if (ranks[caller.scope] < ranks[scope]) throw problem('forbidden', { scope });
      return caller;
    },
  };
}

export const csrfMissing = () =>
  problemSaying('forbidden', 'Changes by a session need our own page: send X-CSRF-Token from GET /v1/session.');

/** The session that a request's cookie names, while it holds. */
export async function sessionOf(identity: Identity, request: Ask): Promise<SignedIn | undefined> {
  const token = cookieOf(request);
  return token === undefined ? undefined : identity.bySession(token);
}

function isFromOurPage(request: Ask, { csrf }: SignedIn, origins: Pick<OriginRules, 'isOwn'>): boolean {
  if (safeMethods.has(request.method)) return true;
  const { 'x-csrf-token': token } = request.headers;
  return origins.isOwn(request) && typeof token === 'string' && timingSafeEqual(hashOf(token), hashOf(csrf));
}

function keyOf(request: Ask): string | undefined {
  const { authorization, 'x-api-key': header } = request.headers;
  const [, bearer] = /^Bearer +(\S+) *$/i.exec(authorization ?? '') ?? [];
  return bearer ?? (typeof header === 'string' && header !== '' ? header : undefined);
}

function unauthorized(absent: boolean) {
  const headers = { 'www-authenticate': 'Bearer' };
  return absent
    ? problem('unauthorized', {}, { headers })
    : problemSaying('unauthorized', 'This key is not known.', { headers });
}
