// web.ts — serves the page: its own routes and nothing else, so that no path of a dialect ever answers HTML.
//
// The built files are few and small, so they are read once and answered from memory; a name that was not read at the
// start cannot be asked for. Names carry the hash of their content: they may be kept for ever, the index page never.

import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { problem } from '../problem.ts';
import { sendHead } from './files.ts';
import { pagePolicy } from './headers.ts';
import type { Answering, Ask, Http } from './http.ts';

const built = join(import.meta.dirname, '../../web/dist');
const routes = ['/', '/batches', '/batches/:id', '/images/:id', '/admin', '/help', '/help/*'];
/** Where older pages had these. */
const moved = { '/list': '/batches', '/async-upload': '/', '/async-upload-batch': '/' };

export type WebFile = { body: Buffer; type: string; etag: string; zipped?: Promise<Buffer> };
type WebFiles = ReadonlyMap<string, WebFile>;

/** Adds the page's routes. Without a built page they say how to build it. */
export function addWeb(http: Http, folder = built): void {
  const files = readFiles(folder);
  const index = files.get('index.html');
  const options = { config: { scope: 'public' }, schema: { hide: true } } as const;
  for (const route of routes)
    http.get(route, options, async (request, reply) => {
      reply.header('content-security-policy', pagePolicy);
      if (!index) return sendUnbuilt(request, reply);
      return sendWebFile(request, reply.header('cache-control', 'no-cache'), index);
    });
  http.get('/assets/:name', options, async (request, reply) => {
    const file = files.get(`assets/${(request.params as { name: string }).name}`);
    if (!file) throw problem('not_found');
    return sendWebFile(request, reply.header('cache-control', 'public, max-age=31536000, immutable'), file);
  });
  for (const [from, to] of Object.entries(moved))
    http.get(from, options, async (_request, reply) => reply.redirect(to, 301));
}

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.webp': 'image/webp',
  '.woff2': 'font/woff2',
};

function readFiles(folder: string): WebFiles {
  const files = new Map<string, WebFile>();
  if (!existsSync(folder)) return files;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const type = types[extname(entry.name)];
    if (!entry.isFile() || type === undefined) continue;
    const path = join(entry.parentPath, entry.name);
    files.set(path.slice(folder.length + 1).replaceAll('\\', '/'), webFile(readFileSync(path), type));
  }
  return files;
}

export function webFile(body: Buffer, type: string): WebFile {
  return { body, type, etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"` };
}

/** Answers with a file that is kept in memory, zipped for whoever takes that. */
export async function sendWebFile(request: Ask, reply: Answering, file: WebFile): Promise<Answering> {
  reply.header('etag', file.etag).header('vary', 'accept-encoding');
  if (request.headers['if-none-match'] === file.etag) return reply.code(304).send();
  const zips = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? '')) && file.body.length > 1000;
  const body = zips ? await (file.zipped ??= promisify(gzip)(file.body)) : file.body;
  if (zips) reply.header('content-encoding', 'gzip');
  reply.type(file.type).header('content-length', String(body.length));
  return request.method === 'HEAD' ? sendHead(reply) : reply.send(body);
}

function sendUnbuilt(request: Ask, reply: Answering): Answering {
  reply.code(503).type('text/html; charset=utf-8');
  return request.method === 'HEAD' ? sendHead(reply) : reply.send(unbuilt);
}

const unbuilt = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Darkroom</title>
<h1>The page is not built yet</h1>
<p><code>npm start</code> builds it before it serves; <code>node scripts/setup.mjs --web</code> builds it alone. Then start again.</p>
<p>The API works: <a href="/docs">try it</a>.</p>
</html>
`;
