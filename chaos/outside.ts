// outside.ts — the world around the product on loopback: a source of pictures, and a receiver of webhooks that checks them.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { fateOf, pictureOf } from './pictures.ts';

/** Several addresses of loopback are several hosts: trouble with one must not slow down the pictures of another. */
const fineHosts = 6;
const troubledHost = '127.0.0.9';
const hosts = [troubledHost, ...Array.from({ length: fineHosts }, (_, at) => `127.0.0.${at + 2}`)];

export const webhookSecret = `whsec_${Buffer.alloc(32, 'chaos').toString('base64')}`;

export type Outside = {
  /** For DARKROOM_ALLOW_HOSTS. */
  allow: string;
  /** Where the n-th picture lies for an order; each order has URLs of its own. */
  pictureUrl(n: number, order: string): string;
  hookUrl: string;
  /** Verified arrivals by webhook-id. */
  arrived: Map<string, number>;
  /** Calls that no receiver would believe. */
  forged: string[];
  /** How often a picture was asked for. */
  asked(): number;
  stop(): Promise<void>;
};

/** Opens both on one port. `onKiller` is called when the picture is asked for that takes its worker down. */
export async function openOutside(onKiller: () => Promise<void>): Promise<Outside> {
  const arrived = new Map<string, number>();
  const forged: string[] = [];
  const tries = new Map<string, number>();
  let asked = 0;

  const servePicture = async (path: string, response: ServerResponse): Promise<void> => {
    const n = Number(/^\/(\d+)\.png/.exec(path)?.[1] ?? Number.NaN);
    const times = (tries.get(path) ?? 0) + 1;
    tries.set(path, times);
    asked += 1;
    const fate = Number.isNaN(n) ? 'missing' : fateOf(n);
    if (fate === 'killer') await onKiller();
    if (fate === 'missing') return void response.writeHead(404).end();
    if (fate === 'always500') return void response.writeHead(500).end();
    if (fate === 'twice503' && times <= 2) return void response.writeHead(503).end();
    response.writeHead(200, { 'content-type': 'image/png' }).end(pictureOf(n));
  };

  const takeHook = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const id = String(request.headers['webhook-id']);
    try {
      new Webhook(webhookSecret).verify(Buffer.concat(chunks), request.headers as Record<string, string>);
    } catch (error) {
      forged.push(`${id}: ${(error as Error).message}`);
      return void response.writeHead(400).end();
    }
    // One in ten is refused once, so that deliveries are repeated without any fault as well.
    const times = (tries.get(id) ?? 0) + 1;
    tries.set(id, times);
    if (times === 1 && id.charCodeAt(id.length - 1) % 10 === 0) return void response.writeHead(503).end();
    arrived.set(id, (arrived.get(id) ?? 0) + 1);
    response.writeHead(200).end();
  };

  const server = createServer((request, response) => {
    const path = request.url ?? '';
    const answer = path.startsWith('/hook') ? takeHook(request, response) : servePicture(path, response);
    answer.catch(() => response.destroy()); // the product was killed while it was sending
  });
  // All addresses of loopback; nobody else's.
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    allow: hosts.map((host) => `${host}:${port}`).join(','),
    pictureUrl(n, order) {
      const fate = fateOf(n);
      const host = fate === 'fine' || fate === 'killer' ? `127.0.0.${(n % fineHosts) + 2}` : troubledHost;
      return `http://${host}:${port}/${n}.png?o=${order}`;
    },
    hookUrl: `http://127.0.0.2:${port}/hook`,
    arrived,
    forged,
    asked: () => asked,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The number of the picture behind a URL of ours, or of an upload that bears its name. */
export function numberOf(name: string): number {
  return Number(/(\d+)\.png/.exec(name)?.[1] ?? Number.NaN);
}
