// reuse.ts — work that was done already is not done again.
//
// The same URL in a batch is fetched once: a second image waits for the first in this process, or takes over what the rows
// tell. The same bytes with the same recipe give the same file, across batches, but never across owners: it would tell one
// what another has.

import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import type { Uses } from '../app.ts';
import { ENGINE, recipeHash } from '../imaging/grammar.ts';
import type { Recipe } from '../imaging/imaging.ts';
import { bundle } from './bundle.ts';
import type { Claimed } from './claim.ts';
import type { Rendition } from './model.ts';
import type { Outcome, SourceFacts, StoredRendition } from './settle.ts';

type Succeeded = Extract<Outcome, { kind: 'succeeded' }>;

/** The identity of one result: 128 bits of SHA-256 over owner, source, recipe and engine, as a UUID. */
export function workKey(owner: string, sourceSha256: Buffer, recipe: Recipe): string {
  const text = [owner, sourceSha256.toString('hex'), recipeHash(recipe), ENGINE].join('\n');
  const hex = createHash('sha256').update(text).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}

const noTime = { waiting: 0, fetch: 0, decode: 0, transform: 0, encode: 0, store: 0 };

/** The outcome of `first` for another image with the same source and recipes: the same files, by reference. */
export function sharedOutcome(first: Outcome): Outcome {
  if (first.kind !== 'succeeded') return first;
  return { ...first, timings: noTime, renditions: first.renditions.map((each) => ({ ...each, fresh: false })) };
}

type SameRow = FileRow & {
  claimed: string;
  source_sha256: Buffer;
  source_type: string;
  source_bytes: number;
  source_width: number;
  source_height: number;
  warnings: string[] | null;
};
type FileRow = {
  name: string;
  file: string;
  media_type: string;
  bytes: number;
  sha256: Buffer;
  work_key: string;
  width: number;
  height: number;
  details: StoredRendition['details'];
};

/** For claimed images whose URL has succeeded in the same batch before: its outcome. One look-up for all. */
export async function findSameUrls({ db }: Uses<'db'>, claimed: Claimed[]): Promise<Map<string, Succeeded>> {
  const asked = claimed.flatMap(({ id, batchId, source }) =>
    source !== 'gone' && 'url' in source ? [{ id, batch_id: batchId, url: source.url }] : [],
  );
  if (asked.length === 0) return new Map();
  const { rows } = await sql<SameRow>`
    select q.id as claimed, s.source_sha256, s.source_type, s.source_bytes, s.source_width, s.source_height, s.warnings,
      r.name, r.file, f.media_type, f.bytes, f.sha256, r.work_key, r.width, r.height, r.details
    from jsonb_to_recordset(${JSON.stringify(asked)}::jsonb) as q(id uuid, batch_id uuid, url text)
    cross join lateral (
      select * from images i
      where i.batch_id = q.batch_id and md5(i.source_url)::uuid = md5(q.url)::uuid and i.state = 'succeeded'
        and i.source_url = q.url
      limit 1
    ) s
    join renditions r on r.image_id = s.id and r.name not like '.%'
    join files f on f.name = r.file and f.gone_at is null`.execute(db.query);
  const byImage = Map.groupBy(rows, (row) => row.claimed);
  const found = new Map<string, Succeeded>();
  for (const { id, renditions } of claimed) {
    const same = byImage.get(id);
    if (same?.length === renditions.length) found.set(id, outcomeOfRows(same));
  }
  return found;
}

function outcomeOfRows(rows: [SameRow, ...SameRow[]] | SameRow[]): Succeeded {
  const [first] = rows as [SameRow];
  return {
    kind: 'succeeded',
    source: sourceFacts(first),
    renditions: rows.map(sharedRendition),
    warnings: first.warnings ?? [],
    timings: noTime,
  };
}

function sourceFacts(row: Omit<SameRow, keyof FileRow | 'claimed' | 'warnings'>): SourceFacts {
  return {
    sha256: row.source_sha256,
    mediaType: row.source_type,
    bytes: row.source_bytes,
    width: row.source_width,
    height: row.source_height,
  };
}

function sharedRendition(row: FileRow): StoredRendition {
  return {
    name: row.name,
    file: row.file,
    fresh: false,
    mediaType: row.media_type,
    bytes: row.bytes,
    sha256: row.sha256,
    workKey: row.work_key,
    width: row.width,
    height: row.height,
    details: row.details,
  };
}

export type Reuse = {
  /** The whole result of an image with these bytes, if every rendition of it exists already. */
  find(item: Claimed, sourceSha256: Buffer): Promise<Succeeded | undefined>;
};

type KeyRow = Omit<SameRow, 'claimed'>;

/** Looks results up by work key. Bulk images wait for a slot anyway, so their questions gather longer in one statement. */
export function openReuse(app: Uses<'db'>): Reuse {
  const askFor = (keys: string[]) => findKeys(app, keys);
  const interactive = bundle(askFor, { ms: 5, most: 100 });
  const bulk = bundle(askFor, { ms: 100, most: 100 });
  return {
    async find({ owner, lane, renditions }, sourceSha256) {
      const lookUp = lane === 1 ? bulk : interactive;
      const rows = await Promise.all(renditions.map(({ recipe }) => lookUp.add(workKey(owner, sourceSha256, recipe))));
      const found = rows.filter((row) => row !== undefined);
      const [first] = found;
      if (!first || found.length < renditions.length) return undefined;
      const named = found.map((row, index) => ({ ...sharedRendition(row), name: nameAt(renditions, index) }));
      const warnings = [...new Set(found.flatMap((row) => row.warnings ?? []))];
      return { kind: 'succeeded', source: sourceFacts(first), renditions: named, warnings, timings: noTime };
    },
  };
}

/**
 * For each work key a result that has it, in the order of the keys. Served by the index renditions_work, one row a key: a
 * shop's "no picture yet" may be a hundred thousand rows.
 */
async function findKeys({ db }: Uses<'db'>, keys: string[]): Promise<(KeyRow | undefined)[]> {
  const { rows } = await sql<KeyRow>`
    select r.name, r.file, f.media_type, f.bytes, f.sha256, r.work_key, r.width, r.height, r.details,
      i.source_sha256, i.source_type, i.source_bytes, i.source_width, i.source_height, i.warnings
    from unnest(${[...new Set(keys)]}::uuid[]) as k
    cross join lateral (select * from renditions where work_key = k and file is not null limit 1) r
    join files f on f.name = r.file and f.gone_at is null
    join images i on i.id = r.image_id`.execute(db.query);
  const byKey = new Map(rows.map((row) => [row.work_key, row]));
  return keys.map((key) => byKey.get(key));
}

function nameAt(renditions: Rendition[], index: number): string {
  return renditions[index]?.name ?? 'default';
}
