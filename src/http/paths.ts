// paths.ts — which methods a path knows: 405 with Allow, OPTIONS, and 404 for the rest.
//
// The framework answers 404 to a known path with a wrong method. The table of all routes, gathered while they register,
// tells the two apart; it also feeds the tests that walk over every route.

import { problem } from '../problem.ts';
import type { Answering, Ask, Http, RouteRow } from './http.ts';

/** Gathers every route into `http.routeTable` and refuses one that does not say who may call it. */
export function gatherRoutes(http: Http): void {
  http.decorate('routeTable', []);
  http.addHook('onRoute', (route) => {
    const methods = [route.method].flat();
    const scope = route.config?.scope ?? (isOfDocs(route.url) ? 'public' : undefined);
    if (!scope) throw new Error(`Route ${methods.join()} ${route.url} does not say which scope it needs.`);
    for (const method of methods) if (method !== 'HEAD') http.routeTable.push({ method, path: route.url, scope });
  });
}

/** Swagger UI registers its own files. */
const isOfDocs = (url: string) => url === '/docs' || url.startsWith('/docs/');

/** What becomes of a request that matched no route. */
export function answerUnmatched(http: Http): (request: Ask, reply: Answering) => unknown {
  const patterns = new Map<string, RegExp>();
  return (request, reply) => {
    const allow = allowedOn(pathOf(request.raw.url), http.routeTable, patterns);
    if (allow.length === 0) throw problem('not_found');
    const header = { allow: [...allow, 'OPTIONS'].join(', ') };
    if (request.method !== 'OPTIONS') throw problem('method_not_allowed', { allow: header.allow }, { headers: header });
    if (request.headers.origin) reply.header('access-control-allow-methods', header.allow);
    return reply.code(204).headers(header).send();
  };
}

/** The path of a request without query, one trailing slash taken off. */
export function pathOf(url: string | undefined): string {
  const path = (url ?? '/').split(/[?#]/, 1)[0] || '/';
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

function allowedOn(path: string, table: RouteRow[], patterns: Map<string, RegExp>): string[] {
  const methods = new Set<string>();
  for (const row of table) {
    let pattern = patterns.get(row.path);
    if (!pattern) patterns.set(row.path, (pattern = patternOf(row.path)));
    if (pattern.test(path)) methods.add(row.method);
  }
  if (methods.has('GET')) methods.add('HEAD');
  const order = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];
  return [...methods].toSorted((a, b) => order.indexOf(a) - order.indexOf(b));
}

function patternOf(path: string): RegExp {
  const source = pathOf(path)
    .replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll(/:\w+/g, '[^/]+')
    .replaceAll('*', '.*');
  return new RegExp(`^${source}$`);
}
