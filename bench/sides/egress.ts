// egress.ts — fetches pictures as the product does, and as a person would with undici.

import { createHash } from 'node:crypto';
import { pino } from 'pino';
import { Agent, request } from 'undici';
import { readConfig } from '../../src/config.ts';
import { openEgress } from '../../src/egress/client.ts';
import type { Egress } from '../../src/egress/egress.ts';
import { version } from '../../src/version.ts';
import { answer } from '../lib/side.ts';

export type EgressRequests = {
  open: { ask: { host: string }; reply: object };
  fetch: { ask: { way: 'guarded' | 'plain' | 'unhashed'; urls: string[] }; reply: { wallMs: number; bytes: number } };
};

const atOnce = 8;
const agent = new Agent({ connections: atOnce, pipelining: 1 });
let egress: Egress | undefined;

answer<EgressRequests>({
  open: async ({ host }) => {
    const { config } = readConfig({ DARKROOM_ALLOW_HOSTS: host, DARKROOM_FETCHES_PER_HOST: String(atOnce) });
    const own = () => ({ publicUrl: 'http://localhost:8000', internalUrl: 'http://127.0.0.1:8000', port: 8000 });
    egress = openEgress({ config, log: pino({ level: 'silent' }), version, own });
    return {};
  },
  fetch: async ({ way, urls }) => {
    const fetchOne = {
      guarded,
      plain: (url: string) => plain(url, true),
      unhashed: (url: string) => plain(url, false),
    }[way];
    const begin = performance.now();
    const rest = urls.values();
    let bytes = 0;
    const work = async () => {
      for (const url of rest) bytes += await fetchOne(url);
    };
    await Promise.all(Array.from({ length: atOnce }, work));
    return { wallMs: performance.now() - begin, bytes };
  },
});

async function guarded(url: string): Promise<number> {
  if (!egress) throw new Error('egress is not open');
  return (await egress.fetch(url)).bytes;
}

async function plain(url: string, hashed: boolean): Promise<number> {
  const { statusCode, body } = await request(url, { dispatcher: agent });
  if (statusCode !== 200) throw new Error(`${url} answered ${statusCode}`);
  const hash = createHash('sha256');
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    const part = chunk as Buffer;
    chunks.push(part);
    bytes += part.length;
    if (hashed) hash.update(part);
  }
  hash.digest();
  return bytes;
}
