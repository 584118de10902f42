// format.ts — numbers, sizes and times as people read them.

const numbers = new Intl.NumberFormat('en');
const units = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

export const count = (value: number): string => numbers.format(value);

/** 967680 -> "945 kB": of 1024 bytes, like the limits in the settings. */
export function size(bytes: number | null | undefined): string {
  if (bytes === null || bytes === undefined) return '–';
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit > 1 && value < 100 ? 1 : 0;
  return `${value.toFixed(digits)} ${units[unit] ?? 'B'}`;
}

/** 2540 -> "2.5 s"; 130 -> "130 ms". */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return '–';
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  return roughly(seconds);
}

/** 177 -> "3 min". */
export function roughly(seconds: number): string {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
  return `${Math.round(seconds / 86_400)} d`;
}

export function ago(time: string | null, now = Date.now()): string {
  if (time === null) return '–';
  const seconds = (now - Date.parse(time)) / 1000;
  return seconds < 5 ? 'just now' : `${roughly(seconds)} ago`;
}

const moments = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'medium' });
export const moment = (time: string | null): string => (time === null ? '–' : moments.format(new Date(time)));

export function took(started: string | null, finished: string | null): string {
  return started === null || finished === null ? '–' : duration(Date.parse(finished) - Date.parse(started));
}

/** Of 1000 bytes 460 are left: 54. Negative when it grew. */
export function savedPercent(before: number | null, after: number | null): number | null {
  return before === null || after === null || before === 0 ? null : Math.round((1 - after / before) * 100);
}

/** image/jpeg -> JPEG. */
export const kind = (mediaType: string | null): string => mediaType?.replace(/^image\//, '').toUpperCase() ?? '';

/** Links are absolute by PUBLIC_URL; the page may be open under another name of the same service. */
export function localPath(url: string): string {
  try {
    const { pathname, search } = new URL(url);
    return pathname + search;
  } catch {
    return url;
  }
}

/** What is left of a URL or a name when there is little room: its last part. */
export function shortName(url: string): string {
  const path = url.split(/[?#]/, 1)[0] ?? url;
  const last = path.slice(path.lastIndexOf('/') + 1);
  try {
    return decodeURIComponent(last) || url;
  } catch {
    return last || url;
  }
}
