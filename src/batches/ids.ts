// ids.ts — the names we give: UUIDv7 for rows, 130 random bits for files.
//
// A row's id leaks the time it was made and opens nothing. A file's name is itself the permission to read the file, so it
// is derived from nothing.

import { randomBytes } from 'node:crypto';

/** A UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then 74 bits from the CSPRNG. */
export function newId(now: number = Date.now()): string {
  return uuidFrom(now, randomBytes(10));
}

/** `count` ids of the same moment, in rising order: the ids of a chunk of rows keep the order of the rows. */
export function newIds(count: number, now: number = Date.now()): string[] {
  const random = randomBytes(count * 10);
  return Array.from({ length: count }, (_, index) =>
    uuidFrom(now, random.subarray(index * 10, index * 10 + 10)),
  ).toSorted();
}

/** When the row with this id was made. */
export function timeOf(id: string): Date {
  return new Date(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16));
}

const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

function uuidFrom(now: number, random: Uint8Array): string {
  const time = now.toString(16).padStart(12, '0');
  const at = (index: number) => random[index] ?? 0;
  const version = hex[(at(0) & 0x0f) | 0x70]! + hex[at(1)];
  const variant = hex[(at(2) & 0x3f) | 0x80]! + hex[at(3)];
  const node = hex[at(4)]! + hex[at(5)]! + hex[at(6)]! + hex[at(7)]! + hex[at(8)]! + hex[at(9)]!;
  return `${time.slice(0, 8)}-${time.slice(8)}-${version}-${variant}-${node}`;
}

const base32 = 'abcdefghijklmnopqrstuvwxyz234567';

/** 26 random base32 characters and the extension: the storage name of a file, and the public name of a result. */
export function newFileName(extension: string): string {
  const letters = Array.from(randomBytes(26), (byte) => base32[byte & 31]).join('');
  return extension ? `${letters}.${extension}` : letters;
}
