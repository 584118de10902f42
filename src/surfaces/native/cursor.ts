// cursor.ts — where the next page of a list begins. A cursor belongs to its filters: with others it means nothing.

import { createHash } from 'node:crypto';
import { problem } from '../../problem.ts';
import type { Answering, Ask } from '../../http/http.ts';
import { canonicalId } from '../../http/ids.ts';
import { pathOf } from '../../http/paths.ts';

type Key = string | number;

/** The ids by which batches are listed. */
export const isId = (key: unknown): key is string => typeof key === 'string' && canonicalId(key) === key;
/** The places by which images are listed: integers of the database. */
export const isPosition = (key: unknown): key is number =>
  Number.isInteger(key) && Number(key) >= 0 && Number(key) <= largestPosition;

export const largestPosition = 2_147_483_647;

/**
 * The key after which a page begins; undefined for the first page. Throws `invalid_cursor` also for one that is no
 * `fitting` key: cursors are no secret, so anybody can write one.
 */
export function keyOfCursor<K extends Key>(request: Ask, fitting: (key: unknown) => key is K): K | undefined {
  const { cursor } = request.query as { cursor?: string };
  if (cursor === undefined) return undefined;
  try {
    const [filters, key] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[];
    if (filters === filtersOf(request) && fitting(key)) return key;
  } catch {
    // Not one of ours.
  }
  throw problem('invalid_cursor');
}

/** One page: `{items, next_cursor}` with a Link header. `rows` holds one more than the page, when there is more. */
export function page<Row, View>(
  request: Ask,
  reply: Answering,
  rows: Row[],
  options: { limit: number; key: (row: Row) => Key; view: (row: Row) => View; publicUrl: string },
): { items: View[]; next_cursor: string | null } {
  const { limit, key, view, publicUrl } = options;
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const next = rows.length > limit && last ? key(last) : null;
  return pageUpTo(request, reply, { items: shown.map(view), next, publicUrl });
}

/** One page of a list that knows itself where the next one begins. */
export function pageUpTo<View>(
  request: Ask,
  reply: Answering,
  { items, next, publicUrl }: { items: View[]; next: Key | null; publicUrl: string },
): { items: View[]; next_cursor: string | null } {
  if (next === null) return { items, next_cursor: null };
  const cursor = Buffer.from(JSON.stringify([filtersOf(request), next])).toString('base64url');
  const query = new URLSearchParams(request.query as Record<string, string>);
  query.set('cursor', cursor);
  reply.header('link', `<${publicUrl}${pathOf(request.raw.url)}?${query.toString()}>; rel="next"`);
  return { items, next_cursor: cursor };
}

function filtersOf(request: Ask): string {
  const { cursor: _cursor, limit: _limit, ...filters } = request.query as Record<string, unknown>;
  const sorted = Object.entries(filters).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([pathOf(request.raw.url), sorted]))
    .digest('base64url')
    .slice(0, 12);
}
