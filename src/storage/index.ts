// index.ts — which driver a STORAGE_URL means. Drivers of networks load when they are asked for.

import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import type { Storage } from './storage.ts';

export type StorageOptions = {
  /** file:<folder>, a plain path, s3://bucket/prefix, or '' for `<dataDir>/files`. */
  url: string;
  dataDir: string;
  /** Bytes that must stay free; 5 % of the disk if that is less. */
  diskFloor: number;
  log: Logger;
};

const drivers = new Map<string, (options: StorageOptions) => Promise<Storage>>([
  ['file', async (options) => (await import('./disk.ts')).openDisk({ ...options, folder: pathOf(options) })],
  ['s3', async ({ url }) => (await import('./s3.ts')).openS3(url)],
]);

/** Opens the storage that `url` names. Throws a sentence that says what is possible. */
export async function openStorage(options: StorageOptions): Promise<Storage> {
  const scheme = schemeOf(options.url);
  const open = drivers.get(scheme ?? 'file');
  if (open) return open(options);
  const known = [...drivers.keys()].map((name) => `${name}:`).join(', ');
  // The url may hold a secret, so only its scheme is repeated.
  throw new Error(`STORAGE_URL has the scheme ${scheme}, for which there is no driver. Use ${known} or a folder.`);
}

const schemeOf = (url: string): string | undefined => /^([a-z][a-z0-9+.-]+):/i.exec(url)?.[1]?.toLowerCase();

type Place = Pick<StorageOptions, 'url' | 'dataDir'>;

/** The folder that `url` means; undefined when it is none. */
export function folderOf(place: Place): string | undefined {
  return (schemeOf(place.url) ?? 'file') === 'file' ? pathOf(place) : undefined;
}

function pathOf({ url, dataDir }: Place): string {
  const text = url || join(dataDir, 'files');
  return resolve(/^file:\/\//i.test(text) ? fileURLToPath(text) : text.replace(/^file:/i, ''));
}
