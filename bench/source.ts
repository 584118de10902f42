// source.ts — the host the pictures come from: a process of its own, so that its CPU is charged to nobody under test.
//
// GET /<salt>/<name> answers with the picture and the salt behind its last byte. Decoders stop before it, but each salt
// makes another source of it: Darkroom does no work twice for the same bytes, and a second lap would cost nothing.
// Everything is in memory, connections are kept alive. Talks to the harness by messages (lib/side.ts).

import { readFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { basename } from 'node:path';
import { answer } from './lib/side.ts';
import { tinyPng } from './lib/tiny.ts';

export type SourceRequests = {
  open: { ask: { files: string[] }; reply: { port: number } };
  counts: { ask: object; reply: { requests: number; connections: number; bytes: number } };
};

const pictures = new Map<string, Buffer>([['tiny.png', tinyPng]]);
const counts = { requests: 0, connections: 0, bytes: 0 };

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  counts.requests++;
  const [, salt = '', name = ''] = (request.url ?? '').split('/');
  const picture = pictures.get(decodeURIComponent(name));
  if (picture) send(response, picture, Buffer.from(salt));
  else response.writeHead(404).end();
});

function send(response: ServerResponse, picture: Buffer, salt: Buffer): void {
  const bytes = picture.length + salt.length;
  counts.bytes += bytes;
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': bytes });
  response.write(picture);
  response.end(salt);
}

answer<SourceRequests>({
  open: async ({ files }) => {
    for (const file of files) pictures.set(basename(file), readFileSync(file));
    server.on('connection', () => counts.connections++);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the source server has no port');
    return { port: address.port };
  },
  counts: async () => counts,
});
