// rehearse.ts — what a batch would be, told without making it: nothing is written, nothing fetched, no name resolved.

import { createHash } from 'node:crypto';
import type { Uses } from '../app.ts';
import { readRows } from '../catalogs/read.ts';
import type { CatalogProblem, CatalogRow } from '../catalogs/catalog.ts';
import { entryOf } from '../problem.ts';
import { keyOf } from '../storage/storage.ts';
import { catalogLimits } from './intake.ts';
import type { NewBatch, NewImage } from './model.ts';
import type { JudgedCatalog } from './uploads.ts';

export type Rehearsal = {
  rows: number;
  images: number;
  /** Images whose source occurs earlier in the batch: each is fetched once. */
  duplicates: number;
  /** The first hundred of `problemCount`. */
  problems: CatalogProblem[];
  problemCount: number;
  /** Those with the most images first. */
  hosts: { host: string; images: number }[];
};

const mostHosts = 100;
/** A file that names ever new hosts must not fill the memory. */
const mostHostsKept = 10_000;
const mostProblems = 100;

/** Reads the content once more and counts. */
export async function rehearse(
  app: Uses<'db' | 'storage' | 'config'>,
  content: Exclude<NewBatch['content'], { catalog: unknown }> | { catalog: JudgedCatalog },
): Promise<Rehearsal> {
  const tally = createTally();
  if ('images' in content) {
    await addImages(app, content.images, tally);
    const { length } = content.images;
    return { rows: length, images: length, ...tally.told(), problems: [], problemCount: 0 };
  }
  const { catalog } = content;
  for await (const rows of rowsOf(app, catalog))
    for (const { urls } of rows) for (const { url } of urls) tally.addUrl(url);
  const problems = [...catalog.problems, ...catalog.invalid.map(sentenced)].toSorted((a, b) => a.line - b.line);
  return {
    rows: catalog.products,
    images: catalog.images,
    ...tally.told(),
    problems: problems.slice(0, mostProblems),
    problemCount: catalog.problemCount + tally.invalid(),
  };
}

async function* rowsOf(app: Uses<'storage' | 'config'>, catalog: JudgedCatalog): AsyncGenerator<CatalogRow[]> {
  const stored = await app.storage.open(keyOf(catalog.file));
  if (!stored) throw new Error(`catalog ${catalog.file} is not in storage`);
  yield* readRows(stored.body, { dialect: catalog.dialect, limits: catalogLimits(app.config) });
}

async function addImages({ db }: Uses<'db'>, images: NewImage[], tally: Tally): Promise<void> {
  const names = images.flatMap(({ source }) => ('upload' in source ? [source.upload] : []));
  const files = names.length === 0 ? [] : await readHashes({ db }, [...new Set(names)]);
  const hashes = new Map(files.map(({ name, sha256 }) => [name, sha256.toString('hex')]));
  for (const { source } of images) {
    if ('url' in source) tally.addUrl(source.url);
    if ('upload' in source) tally.addSource(hashes.get(source.upload) ?? source.upload);
  }
}

function readHashes({ db }: Uses<'db'>, names: string[]) {
  return db.query.selectFrom('files').select(['name', 'sha256']).where('name', 'in', names).execute();
}

type Tally = ReturnType<typeof createTally>;

function createTally() {
  const seen = new Set<number>();
  const hosts = new Map<string, number>();
  let duplicates = 0;
  let invalid = 0;

  function addSource(source: string): void {
    const known = fingerprint(source);
    if (seen.has(known)) duplicates++;
    else seen.add(known);
  }

  function addUrl(url: string | undefined): void {
    const host = url === undefined ? undefined : URL.parse(url)?.host;
    if (url === undefined || host === undefined) return void invalid++;
    addSource(url);
    if (hosts.has(host) || hosts.size < mostHostsKept) hosts.set(host, (hosts.get(host) ?? 0) + 1);
  }

  function told() {
    const most = [...hosts].toSorted(([, a], [, b]) => b - a).slice(0, mostHosts);
    return { duplicates, hosts: most.map(([host, images]) => ({ host, images })) };
  }

  return { addSource, addUrl, told, invalid: () => invalid };
}

/** 48 bits: a million URLs as texts would fill the memory, and a wrong count among a million costs nothing. */
function fingerprint(source: string): number {
  return createHash('md5').update(source).digest().readUIntBE(0, 6);
}

function sentenced(found: CatalogProblem): CatalogProblem {
  return { ...found, code: 'invalid_url', message: found.message ?? entryOf('invalid_url').title };
}
