// storage.ts — where the bytes of sources, results and catalogs lie.
//
// An object appears whole or not at all, is written once and never changed. Keys are `<2 hex>/<name>` with the digits
// taken from the name (`keyOf`), so that folders stay small.

import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';

export type Storage = {
  readonly name: string;
  /** Whole or not at all: a cut stream or a full disk leaves nothing under `key`. An array of chunks is written as it is. */
  put(
    key: string,
    body: Buffer | Buffer[] | Readable,
    options: { type: string },
  ): Promise<{ bytes: number; sha256: Buffer }>;
  /** Undefined when there is no such object. `range` is inclusive at both ends; `bytes` is the size of the whole object. */
  open(key: string, range?: { start: number; end: number }): Promise<{ body: Readable; bytes: number } | undefined>;
  /** Absent objects are fine. */
  remove(keys: string[]): Promise<void>;
  /** For the scrub alone: all objects in key order. */
  list(after: string | undefined, limit: number): Promise<{ key: string; bytes: number; at: Date }[]>;
  /** Whether there is room for more: disk space and inodes above the floor. Bytes where the backend knows an end. */
  room(): Promise<{ ok: boolean; detail?: string; freeBytes?: number; totalBytes?: number }>;
  close(): Promise<void>;
};

/** The storage key of a file name. */
export function keyOf(name: string): string {
  return `${createHash('sha256').update(name).digest('hex').slice(0, 2)}/${name}`;
}

/** `<2 hex>/<name>` in two, or a refusal. */
export function partsOf(key: string): [place: string, name: string] {
  const [place = '', name = ''] = key.split('/');
  const plain = /^[A-Za-z0-9_-][A-Za-z0-9_-]{0,127}(\.[A-Za-z0-9]{1,16})?$/.test(name);
  if (!plain || keyOf(name) !== key) throw new Error(`${JSON.stringify(key)} is not a storage key.`);
  return [place, name];
}
