// log.ts — the log of a process: a line of JSON for programs, or a readable line where a person sits.
//
// Whatever a stranger sent is made harmless here once: secrets are cut out, and characters that steer terminals or turn
// text around are dropped. JSON escapes the old control characters by itself, and none of the newer ones.

import { pino, type Logger } from 'pino';
import type { Config } from '../config.ts';
import type { Output } from './session.ts';

const secretHeaders = [
  'authorization',
  'cookie',
  'set-cookie',
  'x-api-key',
  'x-csrf-token',
  'webhook-signature',
] as const;

/** Opens the log on `out`. */
export function openLog(config: Pick<Config, 'logLevel' | 'logFormat'>, out: Output): Logger {
  const pretty = config.logFormat === 'pretty' || (config.logFormat === 'auto' && out.isTTY === true);
  const paths = secretHeaders.flatMap((name) => [`["${name}"]`, `*["${name}"]`, `*.*["${name}"]`]);
  return pino(
    { level: config.logLevel, redact: { paths, censor: '***' }, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    { write: (line: string) => out.write(pretty ? prettyLine(line) : harmless(line)) },
  );
}

/** Passwords in addresses and tokens in queries; C1, line separators and direction marks. */
export function harmless(text: string): string {
  return text
    .replaceAll(/(:\/\/[^\s/:@"]*):[^\s/@"]+@/g, '$1:***@')
    .replaceAll(/([?&]token=)[^&"\s]+/g, '$1***')
    .replaceAll(/[\u007f-\u009f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, '');
}

const levels: Record<number, string> = { 20: 'debug', 30: 'info', 40: 'WARN', 50: 'ERROR', 60: 'FATAL' };

/** `12:34:56 info  webhook delivered  delivery=… ms=12` */
export function prettyLine(line: string): string {
  const { level, time, msg, err, ...facts } = JSON.parse(harmless(line)) as Record<string, unknown>;
  const clock = String(time).slice(11, 19);
  const words = Object.entries(facts).map(([name, value]) => `${name}=${plain(value)}`);
  const cause = (err as { message?: string; stack?: string } | undefined)?.stack;
  const text = [clock, (levels[Number(level)] ?? String(level)).padEnd(5), plain(msg ?? ''), ...words].join(' ');
  return `${text}${cause ? `\n  ${cause.replaceAll(/[^\P{Cc}\n]/gu, '')}` : ''}\n`;
}

/** One line, without control characters: a name may hold an escape sequence. */
function plain(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.replaceAll(/\p{Cc}/gu, ' ');
}
