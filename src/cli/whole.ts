// whole.ts — writes a file of the caller's so that it is whole or not there.

import { createWriteStream } from 'node:fs';
import { chmod, rename, rm } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** Writes `body` under another name and renames it; readable by others, as files of a shell are. */
export async function writeWhole(path: string, body: Readable): Promise<void> {
  const partial = `${path}.partial`;
  try {
    await pipeline(body, createWriteStream(partial));
    // The house keeps its own files private (umask in main.ts); these are the caller's.
    await chmod(partial, 0o644);
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}
