// read-images.ts — what the surfaces may ask about single images.

import { sql, type RawBuilder } from 'kysely';
import type { Uses } from '../app.ts';
import type { Queries } from '../db/database.ts';
import type { Recipe } from '../imaging/imaging.ts';
import { timeOf } from './ids.ts';
import {
  timingNames,
  type Attempt,
  type Image,
  type ImageState,
  type Rendition,
  type RenditionView,
  type TimingName,
} from './model.ts';

/** The image, or undefined: unknown, or another owner's. `owner` undefined = any. */
export async function findImage({ db }: Uses<'db'>, id: string, owner?: string): Promise<Image | undefined> {
  const conditions = [sql<boolean>`i.id = ${id}`, sql<boolean>`b.chore is distinct from 'delete'`];
  if (owner !== undefined) conditions.push(sql`b.owner = ${owner}`);
  const [image] = await selectImages(db.query, conditions, sql`i.id`, 1);
  return image;
}

/** Those of the images that are there, in no order. */
export async function findImages({ db }: Uses<'db'>, ids: string[]): Promise<Image[]> {
  if (ids.length === 0) return [];
  const conditions = [sql<boolean>`i.id = any(${ids}::uuid[])`, sql<boolean>`b.chore is distinct from 'delete'`];
  return selectImages(db.query, conditions, sql`i.id`, ids.length);
}

/** Those of the images that still exist, newest first; for ids that were found with their owner in mind. */
export async function readImages(db: Queries, ids: string[]): Promise<Image[]> {
  if (ids.length === 0) return [];
  return selectImages(db, [sql<boolean>`i.id = any(${ids}::uuid[])`], sql`i.id desc`, ids.length);
}

export type ImageFilter = {
  state?: ImageState;
  code?: string;
  host?: string;
  /** Part of the URL, reference, file name, serial number or product name. */
  q?: string;
  afterPosition?: number;
  limit: number;
};

/** Images of one batch in input order. */
export async function listImages({ db }: Uses<'db'>, batchId: string, filter: ImageFilter): Promise<Image[]> {
  const { state, code, host, q, afterPosition, limit } = filter;
  const conditions = [sql<boolean>`i.batch_id = ${batchId}`];
  if (state) conditions.push(sql`i.state = ${state}`);
  if (code) conditions.push(sql`i.error_code = ${code}`);
  if (host) conditions.push(sql`i.error_host = ${host}`);
  if (afterPosition !== undefined) conditions.push(sql`i.position > ${afterPosition}`);
  if (q) {
    const part = `%${q.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;
    conditions.push(sql`concat_ws(' ', i.source_url, i.ref, i.name, p.serial, p.name) ilike ${part}`);
  }
  return selectImages(db.query, conditions, sql`i.position`, limit);
}

type ImageRow = {
  id: string;
  batch_id: string;
  position: number;
  ref: string | null;
  name: string | null;
  line: number | null;
  serial: string | null;
  product_name: string | null;
  source_url: string | null;
  source_type: string | null;
  source_width: number | null;
  source_height: number | null;
  source_bytes: number | null;
  source_sha256: Buffer | null;
  state: ImageState;
  run_at: Date | null;
  error_code: string | null;
  error_host: string | null;
  error_status: number | null;
  warnings: string[] | null;
  timings: number[] | null;
  history: Attempt[] | null;
  started_at: Date | null;
  finished_at: Date | null;
  worker: string | null;
  attempts: number;
  results: Omit<RenditionView, 'recipe'>[] | null;
  wanted: Rendition[];
};

export async function selectImages(
  db: Queries,
  conditions: RawBuilder<boolean>[],
  order: RawBuilder<unknown>,
  limit: number,
) {
  const { rows } = await sql<ImageRow>`
    select i.id, i.batch_id, i.position, i.ref, i.name, i.line, p.serial, p.name as product_name, i.source_url, i.source_type,
      i.source_width, i.source_height, i.source_bytes, i.source_sha256, i.state, i.attempts,
      i.run_at, i.error_code, i.error_host, i.error_status, i.warnings, i.timings, i.history, i.started_at, i.finished_at, i.worker,
      coalesce(i.renditions, b.renditions) as wanted,
      (select jsonb_agg(jsonb_build_object('name', r.name, 'file', r.file, 'mediaType', f.media_type, 'width', r.width,
          'height', r.height, 'bytes', f.bytes, 'quality', r.details->'quality', 'score', r.details->'score',
          'keptOriginal', r.details->'keptOriginal', 'warnings', r.details->'warnings') order by r.name)
        from renditions r left join files f on f.name = r.file
        where r.image_id = i.id and r.name not like '.%') as results
    from images i
    join batches b on b.id = i.batch_id
    left join products p on p.batch_id = i.batch_id and p.line = i.line
    where ${sql.join(conditions, sql` and `)}
    order by ${order}
    limit ${limit}`.execute(db);
  return rows.map(imageFrom);
}

function imageFrom(row: ImageRow): Image {
  const product = { line: row.line ?? 0, serial: row.serial, name: row.product_name };
  return {
    id: row.id,
    batchId: row.batch_id,
    position: row.position,
    ref: row.ref,
    product: row.line === null ? null : product,
    source: {
      url: row.source_url,
      name: row.name,
      mediaType: row.source_type,
      width: row.source_width,
      height: row.source_height,
      bytes: row.source_bytes,
      sha256: row.source_sha256?.toString('hex') ?? null,
    },
    state: row.state,
    attempts: row.attempts,
    nextAttemptAt: row.state === 'queued' ? row.run_at : null,
    error:
      row.error_code === null ? null : { code: row.error_code, host: row.error_host, httpStatus: row.error_status },
    warnings: row.warnings ?? [],
    renditions: (row.results ?? []).map((each) => ({ ...each, recipe: recipeOf(row.wanted, each.name) })),
    timings: row.timings === null ? null : timingsFrom(row.timings),
    history: row.history ?? soleAttempt(row),
    createdAt: timeOf(row.id),
    startedAt: row.started_at,
    finishedAt: row.finished_at,
  };
}

function recipeOf(wanted: Rendition[], name: string): Recipe | null {
  return wanted.find((rendition) => rendition.name === name)?.recipe ?? null;
}

function timingsFrom(ms: number[]): Record<TimingName, number> {
  return Object.fromEntries(timingNames.map((name, index) => [name, ms[index] ?? 0])) as Record<TimingName, number>;
}

/** A first success is not written to the history column: the row itself tells it. */
function soleAttempt({ state, attempts, worker, started_at, finished_at }: ImageRow): Attempt[] {
  if (state !== 'succeeded' || started_at === null || finished_at === null) return [];
  const [startedAt, finishedAt] = [started_at.toISOString(), finished_at.toISOString()];
  return [{ attempt: attempts, worker: worker ?? '', startedAt, finishedAt, outcome: 'succeeded', error: null }];
}
