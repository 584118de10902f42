// trap.ts — servers on addresses that must never be reached, and on two that count as public.
//
// A breach is one accepted connection on an address that is not public: it counts even when nothing is sent.

import { execFileSync } from 'node:child_process';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer, type Socket } from 'node:net';
import ipaddr from 'ipaddr.js';

export const publicAddress = '93.184.216.34';
export const publicAddress6 = '2606:2800:220:1::1';

const inside = [
  '10.0.0.5',
  '100.100.100.200',
  '168.63.129.16',
  '169.254.169.254',
  '172.16.0.5',
  '192.0.0.192',
  '192.168.0.5',
  '198.18.0.1',
  '::7f00:1',
  '64:ff9b::7f00:1',
  '2001::80ff:fffe',
  '2002:7f00:1::',
  'fd00:ec2::254',
  'fec0::1',
];

const ports = [22, 80, 443, 6379, 8080, 8443, 11211];

/** Gives the loopback card of this namespace all the addresses. Never call it outside of a network namespace. */
export function takeAddresses(): void {
  execFileSync('ip', ['link', 'set', 'lo', 'up']);
  for (const address of [...inside, publicAddress, publicAddress6])
    execFileSync('ip', ['addr', 'add', address, 'dev', 'lo', ...(address.includes(':') ? ['nodad'] : [])]);
}

export type Trap = { breaches: string[]; visits: () => number; close(port: number): Promise<void> };

/** Listens on every address at every port and notes who was reached. */
export async function setTrap(): Promise<Trap> {
  const breaches: string[] = [];
  let visits = 0;
  const http = createHttpServer(answer);
  const note = (socket: Socket) => {
    const address = ipaddr.process(socket.localAddress ?? '::').toString();
    visits += 1;
    if (address !== publicAddress && address !== publicAddress6) breaches.push(`${address} ${socket.localPort}`);
    socket.on('error', () => {});
    http.emit('connection', socket);
  };
  const servers = new Map(ports.map((port) => [port, createServer(note)]));
  for (const [port, server] of servers) await new Promise<void>((done) => server.listen(port, '::', done));
  return {
    breaches,
    visits: () => visits,
    close: (port) => new Promise((done) => void servers.get(port)?.close(() => done())),
  };
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  const { pathname } = new URL(request.url ?? '/', 'http://x');
  const target = pathname.startsWith('/r/') ? decodeURIComponent(pathname.slice(3)) : undefined;
  const location = { '/relative': '/ok', '/loop': '/loop' }[pathname] ?? target;
  request.resume();
  if (location === undefined) response.end('a picture');
  else response.writeHead(302, { location }).end();
}
