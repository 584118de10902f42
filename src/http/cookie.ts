// cookie.ts — the one cookie: the session of the page. Scripts cannot read it, other sites cannot send it.

import cookie from '@fastify/cookie';
import type { Answering, Ask, Http } from './http.ts';

const plainName = 'darkroom_session';
/** Browsers take a cookie of this prefix over https alone, for this host alone. */
const secureName = `__Host-${plainName}`;

const nameFor = (request: Ask): string => (request.protocol === 'https' ? secureName : plainName);
const optionsFor = (request: Ask) =>
  ({ path: '/', httpOnly: true, sameSite: 'strict', secure: request.protocol === 'https' }) as const;

/** Reading and writing only: most requests bring none, so none is read unless somebody asks. */
export async function registerCookies(http: Http): Promise<void> {
  await http.register(cookie, { hook: false });
}

/** The session token that came with a request. */
export function cookieOf(request: Ask): string | undefined {
  const { cookie: header } = request.headers;
  if (header === undefined) return undefined;
  const token = request.server.parseCookie(header)[nameFor(request)];
  return token !== undefined && /^[\w-]{43}$/.test(token) ? token : undefined;
}

export function setCookie(request: Ask, reply: Answering, token: string): void {
  reply.header('set-cookie', request.server.serializeCookie(nameFor(request), token, optionsFor(request)));
}

export function clearCookie(request: Ask, reply: Answering): void {
  const gone = { ...optionsFor(request), maxAge: 0 };
  reply.header('set-cookie', request.server.serializeCookie(nameFor(request), '', gone));
}
