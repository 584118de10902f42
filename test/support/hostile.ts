// hostile.ts — a source of pictures on loopback that misbehaves in every way the guard has a code for.

import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';

export const picture = Buffer.from('\x89PNG\r\n\x1a\n and some bytes', 'latin1');

export type Seen = { method: string; url: string; headers: IncomingHttpHeaders; body: string };

type Answer = (request: IncomingMessage, response: ServerResponse, url: URL) => void;

const answers: Record<string, Answer> = {
  '/ok': (_request, response) => void response.end(picture),
  '/empty': (_request, response) => void response.end(),
  '/gzip': (_request, response) =>
    void response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(10_000_000))),
  '/hang': () => {},
  '/stall': (_request, response) => void response.writeHead(200).write('a'),
  '/endless': (_request, response) => pour(response, Buffer.alloc(64 * 1024)),
  '/drip': (_request, response) => {
    response.writeHead(200);
    const timer = setInterval(() => response.write('a'), 50);
    response.on('close', () => clearInterval(timer));
  },
  '/huge': (_request, response) => void response.writeHead(200, { 'content-length': '9000000000000' }).write('a'),
  '/reset': (_request, response) => {
    response.writeHead(200, { 'content-length': '1000' }).write('a');
    setTimeout(() => response.socket?.resetAndDestroy(), 20);
  },
  '/cut': (_request, response) => {
    response.writeHead(200, { 'content-length': '1000' }).write('a');
    setTimeout(() => response.destroy(), 20);
  },
  '/flood': (_request, response) => void response.writeHead(200, { 'x-flood': 'a'.repeat(20_000) }).end(picture),
  '/loop': (_request, response) => redirect(response, '/loop'),
  '/relative': (_request, response) => redirect(response, 'ok'),
  '/nowhere': (_request, response) => void response.writeHead(302).end(),
  '/twice': (_request, response) => void response.writeHead(302, ['location', '/ok', 'location', '/ok']).end(),
  '/to': (_request, response, url) => redirect(response, url.searchParams.get('url') ?? ''),
  '/hops': (_request, response, url) => {
    const left = Number(url.searchParams.get('left'));
    redirect(response, left === 1 ? '/ok' : `/hops?left=${left - 1}`);
  },
  '/status': (_request, response, url) => {
    const wait = url.searchParams.get('after');
    const headers = wait ? { 'retry-after': wait } : {};
    response.writeHead(Number(url.searchParams.get('code') ?? 404), headers);
    response.end(url.searchParams.get('code') === '204' ? undefined : '<h1>a page</h1>');
  },
};

/** Starts the server on loopback. `host` is what an allow list must name; `seen` is what arrived. */
export async function openHostileSource() {
  const seen: Seen[] = [];
  let connections = 0;
  let open = 0;
  let peak = 0;
  const server = createServer((request, response) => {
    let body = '';
    peak = Math.max(peak, (open += 1));
    response.on('close', () => (open -= 1));
    response.on('error', () => {});
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body });
      const url = new URL(request.url ?? '/', 'http://x');
      (answers[url.pathname] ?? answers['/status'])?.(request, response, url);
    });
  });
  server.on('connection', () => (connections += 1));
  const port = await listen(server);
  return {
    host: `127.0.0.1:${port}`,
    base: `http://127.0.0.1:${port}`,
    seen,
    connections: () => connections,
    /** Most requests that were open at once. */
    peak: () => peak,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

/** A server below HTTP: `speak` writes whatever it likes once a request has begun to arrive. */
export async function openRawSource(speak: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    socket.once('data', () => speak(socket));
  });
  const port = await listen(server);
  return {
    host: `127.0.0.1:${port}`,
    url: `http://127.0.0.1:${port}/ok`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return (server.address() as AddressInfo).port;
}

function redirect(response: ServerResponse, location: string): void {
  response.writeHead(302, { location }).end();
}

function pour(response: ServerResponse, chunk: Buffer): void {
  response.writeHead(200);
  const more = () => {
    while (!response.destroyed && response.write(chunk));
  };
  response.on('drain', more);
  more();
}
