// origins.ts — who may call from a browser: the Host rule, the Origin rule, CORS for listed origins.
//
// A service on localhost without a login is open to every page in the same browser. Two rules close that door: a page
// of another origin may not change anything (Origin, Sec-Fetch-Site), and no name but our own reaches us (Host): DNS
// rebinding needs a name of its own. curl and libraries send neither header and pass.

import { isIP } from 'node:net';
import type { Config } from '../config.ts';
import { problemSaying } from '../problem.ts';
import type { Answering, Ask } from './http.ts';

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);
const exposed =
  'Location, Retry-After, Link, ETag, X-Request-Id, Idempotent-Replayed, Content-Disposition, RateLimit, RateLimit-Policy';

export type OriginRules = {
  /** Throws 421 `wrong_host` or 403 `foreign_origin`. */
  judge(request: Ask): void;
  /** Adds the CORS headers when the origin is listed. */
  allow(request: Ask, reply: Answering): void;
  /** True when a browser says that our own page sends this. */
  isOwn(request: Ask): boolean;
};

/** The rules of a configuration; the page's dev server is listed while there are no keys. */
export function originRules(config: Config, keyed: () => boolean): OriginRules {
  const listed = new Set(config.allowOrigins.map((origin) => origin.toLowerCase().replace(/\/+$/, '')));
  const isListed = (origin: string) => listed.has(origin) || (!keyed() && origin === 'http://localhost:5173');
  let names: { hosts: Set<string>; origins: Set<string> } | undefined;
  // At the first request: with PORT=0 our own address is known only when the server listens.
  const own = () => (names ??= ownNames(config));

  const isMine = (request: Ask, origin: string): boolean =>
    origin === `${request.protocol}://${request.headers.host ?? ''}`.toLowerCase() || own().origins.has(origin);

  return {
    isOwn(request) {
      const { origin, 'sec-fetch-site': site } = request.headers;
      return origin === undefined ? site === 'same-origin' : isMine(request, origin.toLowerCase());
    },
    judge(request) {
      if (!keyed()) judgeHost(request.raw.headers.host, own().hosts, config.publicUrl);
      if (safeMethods.has(request.method) && !opensSocket(request)) return;
      const { origin, 'sec-fetch-site': site } = request.headers;
      if (origin === undefined) {
        if (site === 'cross-site') throw foreign('another site');
        return;
      }
      const wanted = origin.toLowerCase();
      if (!isMine(request, wanted) && !isListed(wanted)) throw foreign(printable(origin));
    },
    allow(request, reply) {
      const { origin } = request.headers;
      reply.header('vary', 'Origin');
      if (origin === undefined || !isListed(origin.toLowerCase())) return;
      reply.header('access-control-allow-origin', origin).header('access-control-expose-headers', exposed);
      if (request.method !== 'OPTIONS') return;
      reply
        .header('access-control-allow-headers', 'Authorization, Content-Type, Idempotency-Key, X-API-Key, Prefer')
        .header('access-control-max-age', '600');
    },
  };
}

/** A GET all the same, but browsers let every page open sockets to anywhere and read what comes. */
const opensSocket = ({ headers }: Ask): boolean => headers.upgrade?.toLowerCase() === 'websocket';

function ownNames({ publicUrl, internalUrl }: Config) {
  const own = [publicUrl, internalUrl].filter(Boolean).map((url) => new URL(url));
  return {
    hosts: new Set(['localhost', ...own.map((url) => url.hostname)]),
    origins: new Set(own.map((url) => url.origin)),
  };
}

function judgeHost(header: string | undefined, hosts: Set<string>, publicUrl: string): void {
  // HTTP/1.0 knows no Host, and no browser speaks it; Node itself refuses HTTP/1.1 without one.
  if (header === undefined) return;
  const name = header.replace(/:\d*$/, '').toLowerCase();
  if (hosts.has(name) || isIP(name) === 4 || isIP(name.replace(/^\[|\]$/g, '')) === 6) return;
  throw problemSaying('wrong_host', `This server is not known by that name; it is ${publicUrl}. Set PUBLIC_URL.`);
}

function foreign(from: string) {
  return problemSaying('foreign_origin', `Pages of ${from} may not do that; DARKROOM_ALLOW_ORIGINS lists who may.`);
}

const printable = (text: string): string => text.replaceAll(/[^\x21-\x7e]/g, '').slice(0, 100);
