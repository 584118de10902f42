// standalone.ts — the product as a process of its own on a fresh data directory, gone with the directory when disposed.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seedDataDir } from './databases.ts';
import { freePort, startProduct, type Product } from './product.ts';

export type Standalone = Product & AsyncDisposable & { dataDir: string };

/** Starts `darkroom serve` with these settings and waits until it answers. */
export async function openStandalone(
  env: Record<string, string> = {},
  args: string[] = ['serve'],
): Promise<Standalone> {
  const dataDir = await mkdtemp(join(tmpdir(), 'darkroom-alone-'));
  await seedDataDir(dataDir);
  const product = await startProduct({ dataDir, port: await freePort(), env, args });
  return {
    ...product,
    dataDir,
    async [Symbol.asyncDispose]() {
      await product.end('SIGKILL');
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
