// find-images.ts — images over all batches, newest first: by source, product, reference, name, state.
//
// An index for each of these would tax every insert, so the table is walked backwards in windows, and whatever has an index
// of its own (uploads, what failed, what runs) is walked there. A rare match among a million rows costs several questions:
// after a while the page comes back with what was found, and says where to go on.

import { sql, type RawBuilder } from 'kysely';
import type { Uses } from '../app.ts';
import type { Queries } from '../db/database.ts';
import type { Image, ImageState } from './model.ts';
import { readImages } from './read-images.ts';

export type ImageSearch = {
  /** Undefined = any. */
  owner?: string;
  sourceUrl?: string;
  serialNumber?: string;
  /** Part of the product's name, any case; so `name`, of the file. */
  productName?: string;
  name?: string;
  ref?: string;
  /** Only images that were uploaded. */
  uploaded?: boolean;
  state?: ImageState;
  code?: string;
};

/** Rows that the first statement looks at, and the later ones at most: PGlite answers nobody meanwhile. */
const windows = { first: 500, most: { pglite: 5_000, postgres: 20_000 } };
const lookMs = 500;
const mostFewBatches = 1_000;

/** A page of images older than `before`. `next` goes on from there; it may stand behind a page that is not full. */
export async function findImages(
  app: Uses<'db'>,
  search: ImageSearch,
  { before, limit }: { before?: string | undefined; limit: number },
): Promise<{ images: Image[]; next: string | null }> {
  const ids: string[] = [];
  const until = performance.now() + lookMs;
  let next: string | null = null;
  for await (const { found, last, isEnd } of windowsOfImages(app, search, before)) {
    ids.push(...found.slice(0, limit - ids.length));
    next = isEnd ? null : last;
    if (ids.length >= limit) {
      // Only the very last row of all has nothing behind it.
      next = isEnd && ids.at(-1) === found.at(-1) ? null : (ids.at(-1) ?? null);
      break;
    }
    if (performance.now() > until) break;
  }
  return { images: await readImages(app.db.query, ids), next };
}

/** The ids of all images that match, but of no more than `most` + 1: then there are too many. */
export async function matchingIds(app: Uses<'db'>, search: ImageSearch, most: number): Promise<string[]> {
  const ids: string[] = [];
  for await (const { found } of windowsOfImages(app, search, undefined)) {
    ids.push(...found.slice(0, most + 1 - ids.length));
    if (ids.length > most) break;
  }
  return ids;
}

type Seen = { found: string[]; last: string; isEnd: boolean };

async function* windowsOfImages({ db }: Uses<'db'>, search: ImageSearch, from: string | undefined) {
  const most = windows.most[db.engine];
  const batches = search.owner === undefined ? undefined : await fewBatches(db.query, search.owner, most);
  for (let [before, rows] = [from, windows.first]; ; rows = Math.min(most, rows * 4)) {
    const seen = await lookThrough(db.query, search, { before, rows, batches });
    if (!seen) return;
    yield seen;
    if (seen.isEnd) return;
    before = seen.last;
  }
}

/**
 * The batches of an owner who has so few images that they can be looked at by themselves: among a million of others' rows
 * the walk would show page after page with nothing.
 */
async function fewBatches(db: Queries, owner: string, mostImages: number): Promise<string[] | undefined> {
  const { rows } = await sql<{ id: string; total: number }>`
    select id, total from batches where owner = ${owner} order by id desc limit ${mostFewBatches + 1}`.execute(db);
  const images = rows.reduce((sum, { total }) => sum + total, 0);
  return rows.length <= mostFewBatches && images <= mostImages ? rows.map(({ id }) => id) : undefined;
}

/** The matches of the next window. Only what an index serves may narrow the window itself. */
async function lookThrough(
  db: Queries,
  search: ImageSearch,
  { before, rows: most, batches }: { before: string | undefined; rows: number; batches: string[] | undefined },
): Promise<Seen | undefined> {
  const window = [before === undefined ? sql`true` : sql`id < ${before}::uuid`];
  if (batches) window.push(sql`batch_id = any(${batches}::uuid[])`);
  if (search.uploaded) window.push(sql`source_url is null`);
  if (search.state && hasIndex.has(search.state)) window.push(sql`state = ${search.state}`);
  const products =
    search.serialNumber === undefined && search.productName === undefined
      ? sql``
      : sql`join products p on p.batch_id = i.batch_id and p.line = i.line`;
  const { rows } = await sql<{ found: string[]; last: string | null; seen: number }>`
    with part as materialized (
      select id, batch_id, line, source_url, ref, name, state, error_code from images
      where ${sql.join(window, sql` and `)}
      order by id desc
      limit ${most}
    ), hits as (
      select i.id from part i
      join batches b on b.id = i.batch_id
      ${products}
      where ${sql.join(conditionsOf(search), sql` and `)}
    )
    select array(select id::text from hits order by id desc) as found,
      (select id::text from part order by id limit 1) as last,
      (select count(*) from part) as seen`.execute(db);
  const [row] = rows;
  if (!row || row.last === null) return undefined;
  return { found: row.found, last: row.last, isEnd: Number(row.seen) < most };
}

/** images_ended, images_running, images_tickets. */
const hasIndex = new Set<ImageState>(['failed', 'canceled', 'running', 'dispatched']);

function conditionsOf(search: ImageSearch): RawBuilder<unknown>[] {
  const { owner, sourceUrl, serialNumber, productName, name, ref, state, code } = search;
  const conditions: RawBuilder<unknown>[] = [sql`b.chore is distinct from 'delete'`];
  if (owner !== undefined) conditions.push(sql`b.owner = ${owner}`);
  // URLs are kept as they were parsed.
  if (sourceUrl !== undefined)
    conditions.push(sql`i.source_url in (${sourceUrl}, ${URL.parse(sourceUrl)?.href ?? sourceUrl})`);
  if (serialNumber !== undefined) conditions.push(sql`p.serial = ${serialNumber}`);
  if (productName !== undefined) conditions.push(sql`p.name ilike ${anywhere(productName)}`);
  if (name !== undefined) conditions.push(sql`i.name ilike ${anywhere(name)}`);
  if (ref !== undefined) conditions.push(sql`i.ref = ${ref}`);
  if (state !== undefined) conditions.push(sql`i.state = ${state}`);
  if (code !== undefined) conditions.push(sql`i.error_code = ${code}`);
  return conditions;
}

const anywhere = (part: string): string => `%${part.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;
