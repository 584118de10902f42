// The README's commands, run as written: the sample catalog goes in, the output CSV and its pictures come out.

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { seedDataDir } from './support/databases.ts';
import { freePort, startProduct } from './support/product.ts';

/** The port the README names, if nobody has it. */
async function readmePort(): Promise<number> {
  const server = createServer();
  const isFree = await new Promise<boolean>((resolve) => {
    server.on('error', () => resolve(false)).listen(8000, '127.0.0.1', () => server.close(() => resolve(true)));
  });
  return isFree ? 8000 : freePort();
}

test(
  'takes the sample catalog to its output CSV and images by the commands of the README',
  { timeout: 120_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'darkroom-readme-'));
    const dataDir = join(folder, 'data');
    await seedDataDir(dataDir);
    const port = await readmePort();
    const product = await startProduct({ dataDir, port });
    try {
      const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
      const blocks = [...readme.matchAll(/^```sh\n(.*?)^```/gms)].map(([, block]) => block ?? '');
      expect(blocks.length).toBeGreaterThan(4);
      // The blocks belong into one shell: $ID and the files carry over.
      const script = ['set -eu', ...blocks].join('\n').replaceAll('localhost:8000', `localhost:${port}`);
      await promisify(execFile)('sh', ['-c', script], { cwd: folder, timeout: 100_000 });

      const [header, ...rows] = (await readFile(join(folder, 'output.csv'), 'utf8')).trim().split('\r\n');
      expect(header).toBe('S. No.,Product Name,Input Image Urls,Output Image Urls');
      expect(rows.length).toBe(12);
      const results = rows.join('\n').match(/\/processed_images\/[a-z2-7]{26}\.\w+/g) ?? [];
      expect(results.length).toBe(11);
      const first = await readFile(join(folder, 'first.jpg'));
      expect([...first.subarray(0, 3)]).toEqual([0xff, 0xd8, 0xff]);
      const failed = await readFile(join(folder, 'failed.csv'), 'utf8');
      expect(failed).toContain('1:not_found');
      expect(failed).toContain('1:not_an_image');
    } finally {
      expect(await product.end('SIGTERM')).toBe(0);
      await rm(folder, { recursive: true, force: true });
    }
  },
);
