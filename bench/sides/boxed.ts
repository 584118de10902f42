// boxed.ts — the limit LS: L0's files through the product's own sandbox, without HTTP and without a database.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, parse } from 'node:path';
import type { Sandbox } from '../../src/imaging/imaging.ts';
import { answer } from '../lib/side.ts';
import type { Effort } from '../operations.ts';
import { openProductSandbox, readRecipe } from './product.ts';

export type BoxedRequests = {
  open: { ask: { slots: number }; reply: { ready: true } };
  lap: {
    ask: { pipeline: string; effort: Effort; sources: string[]; out: string };
    reply: { wallMs: number; bytes: number };
  };
};

let sandbox: Sandbox | undefined;

answer<BoxedRequests>({
  open: async ({ slots }) => {
    sandbox = await openProductSandbox(slots);
    return { ready: true };
  },
  lap: async ({ pipeline, effort, sources, out }) => {
    const pool = sandbox;
    if (!pool) throw new Error('the sandbox is not open');
    const recipe = readRecipe(pipeline, effort);
    await mkdir(out, { recursive: true });
    const begin = performance.now();
    let bytes = 0;
    const rest = sources.entries();
    const work = async () => {
      for (const [index, path] of rest) {
        const body = await readFile(path);
        const job = {
          id: String(index),
          chunks: [body],
          bytes: body.length,
          renditions: [{ name: 'default', recipe }],
        };
        const { renditions } = await pool.render(job);
        for (const each of renditions) {
          await writeFile(join(out, `${parse(path).name}.${each.extension}`), each.body);
          bytes += each.bytes;
        }
      }
    };
    await Promise.all(Array.from({ length: pool.slots }, work));
    return { wallMs: performance.now() - begin, bytes };
  },
});
