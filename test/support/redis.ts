// redis.ts — a private Redis (or Valkey) for a test file, where the program is installed.

import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram, startServer, type PrivateServer } from './private-server.ts';
import { freePort } from './product.ts';

export type Broker = PrivateServer & { url: string };

/** Undefined where it is not installed. */
export const redisProgram = findProgram(['redis-server', 'valkey-server']);

export async function startRedis(): Promise<Broker> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'darkroom-redis-'));
  const settings = { port, bind: '127.0.0.1', dir: folder, appendonly: 'yes', appendfsync: 'no', save: '' };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const server = await startServer({ folder, port, command: [redisProgram ?? 'redis-server', ...args] });
  return { ...server, url: `redis://127.0.0.1:${port}` };
}
