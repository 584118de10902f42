// headers.ts — the headers that every answer carries, and the few texts that may become a header.
//
// Node throws on a bad header value, which would turn a file name into a 500: nothing of a user's reaches a header but
// through this file.

import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** On every answer, also on those of the HTTP parser. */
export const securityHeaders: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
};

/** Results are opened by browsers: our encoder made them, and still nothing in them may run. */
export const resultHeaders: Readonly<Record<string, string>> = {
  'content-security-policy': "default-src 'none'; sandbox",
  'cross-origin-resource-policy': 'cross-origin',
  'cache-control': 'public, max-age=31536000, immutable',
};

export const pagePolicy =
  "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
/** Swagger UI styles its elements inline. */
export const docsPolicy = `${pagePolicy}; style-src 'self' 'unsafe-inline'; worker-src blob:`;

/** The caller's X-Request-Id where it is harmless, else our own. */
export function requestIdOf(request: IncomingMessage): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && /^[A-Za-z0-9._-]{1,64}$/.test(given) ? given : randomUUID();
}

/** `attachment` with a file name in both notations of RFC 6266. */
export function attachment(name: string): string {
  const plain = name.replaceAll(/[^\x20-\x7e]|["\\%]/g, '_');
  const simple = /^[\w.-]+$/.test(plain);
  const first = `attachment; filename=${simple ? plain : `"${plain}"`}`;
  if (plain === name) return first;
  const encoded = encodeURIComponent(name.toWellFormed()).replaceAll(/['()*]/g, percent);
  return `${first}; filename*=UTF-8''${encoded}`;
}

const percent = (character: string) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
