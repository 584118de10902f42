// disk.ts — a small disk of its own for the results, so that it can be full while everything else goes on.

import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';

export type Disk = {
  /** Writes until nothing fits any more. */
  fill(): Promise<void>;
  empty(): Promise<void>;
  stop(): void;
};

const megabytes = 48;

/** Only root on Linux may mount one. */
export const canMount = process.platform === 'linux' && process.getuid?.() === 0;

/** Mounts it at `folder`, which is made for it. */
export function openDisk(folder: string): Disk {
  mkdirSync(folder, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'darkroom-chaos', folder]);
  const ballast = join(folder, 'ballast');
  const unmount = (): void => void execFileSync('umount', ['-l', folder]);
  process.once('exit', unmount); // a run that is broken off leaves no disk behind
  return {
    async fill() {
      const file = await open(ballast, 'w');
      const block = Buffer.alloc(64 * 1024);
      try {
        for (let room = megabytes * 16; room >= 0; room -= 1) await file.writeFile(block);
      } catch {
        // Full, as it should be.
      } finally {
        await file.close();
      }
    },
    empty: () => rm(ballast, { force: true }),
    stop() {
      process.off('exit', unmount);
      unmount();
    },
  };
}
