// redis.ts — a private Redis (or Valkey) for a test file, where the program is installed.

import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram, startServer, type PrivateServer } from './private-server.ts';
import { freePort } from './product.ts';

export type Broker = PrivateServer & { url: string };
type Place = { parent?: string; more?: Record<string, string> };

/** Undefined where it is not installed. */
export const redisProgram = findProgram(['redis-server', 'valkey-server']);

/** One that somebody else runs, for tests that leave it alive; '' when there is none. */
export const givenRedis = process.env.DARKROOM_TEST_REDIS_URL ?? '';

/** Keeps its log, so that it may be killed and started again; `more` overrides its settings. */
export async function startRedis({ parent = tmpdir(), more = {} }: Place = {}): Promise<Broker> {
  const port = await freePort();
  const folder = mkdtempSync(join(parent, 'darkroom-redis-'));
  const settings = { port, bind: '127.0.0.1', dir: folder, appendonly: 'yes', appendfsync: 'no', save: '', ...more };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const server = await startServer({ folder, port, command: [redisProgram ?? 'redis-server', ...args] });
  return { ...server, url: `redis://127.0.0.1:${port}` };
}
