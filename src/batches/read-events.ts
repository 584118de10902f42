// read-events.ts — reads what happened: one piece of news for each image, in the order in which it became true.
//
// A row of the journal holds up to a hundred images. Each becomes news of its own with a number that rises, seq × 128 + index,
// so that a follower resumes in the middle of a row. What the news is about is read from the rows as they are now. The
// journal is walked in windows of numbers: a filter that fits little must not become a statement without an end.

import { sql } from 'kysely';
import type { Uses } from '../app.ts';
import type { Batch, Image } from './model.ts';
import { findBatches } from './read.ts';
import { findImages } from './read-images.ts';

export const newsTypes = [
  'batch.created',
  'batch.finished',
  'batch.deleted',
  'image.succeeded',
  'image.failed',
  'image.canceled',
] as const;
export type NewsType = (typeof newsTypes)[number];

/** What passes by and is not kept: it has no number, and nobody can resume behind it. */
export const passingTypes = ['batch.progress', 'image.running', 'image.retrying'] as const;
export type PassingType = (typeof passingTypes)[number];

export type News = {
  /** Null for what is not kept. */
  id: number | null;
  type: NewsType | PassingType;
  batchId: string;
  imageId: string | null;
  owner: string;
  generation: number;
  at: Date;
};

/** News with what they are about, as it is now; null where that is gone, or the news are of the other kind. */
export type Told = News & { batch: Batch | null; image: Image | null };

export type NewsFilter = { owner?: string; batchId?: string; imageId?: string; types?: ReadonlySet<string> };

/** Everything up to `upTo` has been looked at; `done`: there is no more yet. */
export type NewsPage = { news: News[]; upTo: number; done: boolean };

const idsPerRow = 128;
const rowsAtOnce = 200;
const firstOf = (seq: number): number => seq * idsPerRow;
const lastOf = (seq: number): number => seq * idsPerRow + idsPerRow - 1;
const seqOf = (id: number): number => Math.floor(id / idsPerRow);

/** The number behind which everything is still to come. */
export async function newsHead({ db }: Uses<'db'>): Promise<number> {
  const { rows } = await sql<{ last: number | null }>`select max(seq) as last from events`.execute(db.query);
  return lastOf(rows[0]?.last ?? 0);
}

/**
 * Whether somebody who has seen everything up to `after` can go on from there: nothing behind it has been removed, and it
 * is a number of this database. May say no at a gap between numbers, which costs the follower a fresh look.
 */
export async function isNewsKept({ db }: Uses<'db'>, after: number): Promise<boolean> {
  const { rows } = await sql<{ first: number | null; drawn: number }>`
    select (select min(seq) from events) as first, case when is_called then last_value else 0 end as drawn
    from event_numbers`.execute(db.query);
  const { first, drawn } = rows[0] ?? { first: null, drawn: 0 };
  const seq = seqOf(after);
  return seq <= drawn && (first === null ? seq >= drawn : first <= seq + 1);
}

type Row = {
  seq: number;
  batch_id: string;
  owner: string;
  generation: number;
  type: string;
  images: string[] | null;
  outcomes: string | null;
  at: Date;
};

/** One window of news behind `after` that fit the filter. Numbers are drawn in commit order: below the head all is there. */
export async function readNews(app: Uses<'db'>, after: number, filter: NewsFilter = {}): Promise<NewsPage> {
  const head = seqOf(await newsHead(app));
  const from = seqOf(after);
  if (from > head || after >= lastOf(head)) return { news: [], upTo: after, done: true };
  const to = Math.min(head, (await firstKept(app, from)) + rowsAtOnce - 1);
  const conditions = [sql<boolean>`seq between ${from} and ${to}`];
  if (filter.owner !== undefined) conditions.push(sql`owner = ${filter.owner}`);
  if (filter.batchId !== undefined) conditions.push(sql`batch_id = ${filter.batchId}`);
  if (filter.imageId !== undefined) conditions.push(sql`${filter.imageId}::uuid = any(images)`);
  const { rows } = await sql<Row>`
    select seq, batch_id, owner, generation, type, images, outcomes, at from events
    where ${sql.join(conditions, sql` and `)} order by seq`.execute(app.db.query);
  const news = rows.flatMap(newsFrom).filter((each) => Number(each.id) > after && fits(each, filter));
  return { news, upTo: lastOf(to), done: to === head };
}

/** The first number that is still there: windows of what was removed long ago need not be walked. */
async function firstKept({ db }: Uses<'db'>, from: number): Promise<number> {
  const { rows } = await sql<{ seq: number }>`
    select seq from events where seq >= ${from} order by seq limit 1`.execute(db.query);
  return rows[0]?.seq ?? from;
}

/** Whether news are what somebody asked for. */
export function fits(news: News, { owner, batchId, imageId, types }: NewsFilter): boolean {
  return (
    (owner === undefined || news.owner === owner) &&
    (batchId === undefined || news.batchId === batchId) &&
    (imageId === undefined || news.imageId === imageId) &&
    (types === undefined || types.has(news.type))
  );
}

const outcomes: Record<string, NewsType> = { s: 'image.succeeded', f: 'image.failed', c: 'image.canceled' };

function newsFrom(row: Row): News[] {
  const { batch_id: batchId, owner, generation, at } = row;
  const about = { batchId, owner, generation, at };
  if (row.images === null) return [{ ...about, id: firstOf(row.seq), type: row.type as NewsType, imageId: null }];
  return row.images.map((imageId, index) => {
    const type = outcomes[row.outcomes?.[index] ?? ''] ?? 'image.failed';
    return { ...about, id: firstOf(row.seq) + index, type, imageId };
  });
}

/** Adds what the news are about. */
export async function describeNews(app: Uses<'db'>, news: News[]): Promise<Told[]> {
  const isOfBatch = ({ type }: News) => type !== 'batch.deleted' && type.startsWith('batch.');
  const batchIds = [...new Set(news.filter(isOfBatch).map((each) => each.batchId))];
  const imageIds = [...new Set(news.flatMap(({ imageId }) => (imageId === null ? [] : [imageId])))];
  const batches = new Map((await findBatches(app, batchIds)).map((batch) => [batch.id, batch]));
  const images = new Map((await findImages(app, imageIds)).map((image) => [image.id, image]));
  return news.map((each) => ({
    ...each,
    batch: isOfBatch(each) ? (batches.get(each.batchId) ?? null) : null,
    image: each.imageId === null ? null : (images.get(each.imageId) ?? null),
  }));
}

/** News about images that somebody says are at work or wait for another try; those of which it is no longer true are left out. */
export async function readPassing(
  { db }: Uses<'db'>,
  type: 'image.running' | 'image.retrying',
  imageIds: string[],
): Promise<News[]> {
  if (imageIds.length === 0) return [];
  const states = type === 'image.running' ? ['running'] : ['queued', 'dispatched'];
  const { rows } = await sql<{ id: string; batch_id: string; owner: string; generation: number; at: Date }>`
    select i.id, i.batch_id, b.owner, b.generation, coalesce(i.started_at, now()) as at
    from images i join batches b on b.id = i.batch_id
    where i.id = any(${imageIds}::uuid[]) and i.state = any(${states}::text[]) and b.chore is distinct from 'delete'
    order by i.id`.execute(db.query);
  return rows.map(({ id: imageId, batch_id: batchId, owner, generation, at }) => {
    return { id: null, type, batchId, imageId, owner, generation, at };
  });
}
