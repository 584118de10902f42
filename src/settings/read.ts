// read.ts — how the text of a setting becomes a value. Each reader throws an Error whose message completes "<NAME> …".

import { readFileSync } from 'node:fs';

export const text = (value: string): string => value;

export const list = (value: string): string[] =>
  value
    .split(',')
    .map((each) => each.trim())
    .filter(Boolean);

export function whole(min: number, max: number) {
  return (value: string): number => {
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < min || number > max)
      throw new Error(`must be a whole number from ${min} to ${max}`);
    return number;
  };
}

export function oneOf<const T extends string>(...words: T[]) {
  return (value: string): T => {
    const found = words.find((word) => word === value.toLowerCase());
    if (!found) throw new Error(`must be ${words.join(', ')}`);
    return found;
  };
}

export function flag(value: string): boolean {
  if (/^(on|true|yes|1)$/i.test(value)) return true;
  if (/^(off|false|no|0)$/i.test(value)) return false;
  throw new Error('must be on or off');
}

const byteUnits: Record<string, number> = { '': 1, b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3, tb: 1024 ** 4 };
/** "25mb" -> 26,214,400; units count by 1024. */
export const bytes = (value: string): number => scaled(value, byteUnits, 'must be a size such as 25mb');

/** "50mp" -> 50,000,000 pixels. */
export const pixels = (value: string): number =>
  scaled(value, { '': 1, mp: 1e6 }, 'must be a number of pixels such as 50mp');

const timeUnits: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** "30s" -> 30,000 ms. */
export const duration = (value: string): number => scaled(value, timeUnits, 'must be a time such as 30s, 5m or 7d');

/** As `duration`; "off" is undefined: for ever. */
export const durationOrOff = (value: string): number | undefined =>
  value.toLowerCase() === 'off' ? undefined : duration(value);

function scaled(value: string, units: Record<string, number>, message: string): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(value) ?? [];
  const factor = unit === undefined ? undefined : units[unit.toLowerCase()];
  if (digits === undefined || factor === undefined) throw new Error(message);
  return Math.round(Number(digits) * factor);
}

/** An http(s) address without a trailing slash: it is glued to paths. */
export function origin(value: string): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.search || url.hash || url.username)
    throw new Error('must be an address such as https://images.example.com');
  return url.href.replace(/\/+$/, '');
}

/** postgres:// and postgresql:// are one; Python's driver suffix (postgresql+asyncpg://) is dropped. */
export function databaseUrl(value: string): string {
  const [, scheme, rest] = /^(postgres|postgresql)(?:\+\w+)?:\/\/(.+)$/.exec(value) ?? [];
  if (!scheme) throw new Error('must begin with postgres:// (or be unset for the embedded database)');
  return `postgres://${rest}`;
}

export function apiKey(value: string): string {
  if (!/^drk_[A-Za-z0-9]{8}_[A-Za-z0-9_-]{43}$/.test(value))
    throw new Error('must look like drk_<8 characters>_<43 characters>');
  return value;
}

export function webhookSecret(value: string): string {
  const [, base64] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(value) ?? [];
  if (!base64 || Buffer.from(base64, 'base64').length < 24)
    throw new Error('must be whsec_ and at least 24 bytes in base64');
  return value;
}

export const secretFile = (path: string): string => readFileSync(path, 'utf8').trim();

/** The known word nearest to `word`, if it is within three edits: for "did you mean". */
export function nearest(word: string, known: readonly string[], within = 3): string | undefined {
  const ranked = known
    .map((each) => ({ each, distance: editDistance(word, each) }))
    .toSorted((a, b) => a.distance - b.distance);
  return ranked[0] && ranked[0].distance <= within ? ranked[0].each : undefined;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(
        (row[j] ?? 0) + 1,
        (next[j - 1] ?? 0) + 1,
        (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1),
      );
    row = next;
  }
  return row[b.length] ?? 0;
}
