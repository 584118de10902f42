// room.ts — tells whether a disk has room: bytes and inodes above the floor, and after a failed write also a trial.
//
// A read-only disk or a used-up quota shows in no figure of the file system, so one failed write asks for a trial write
// before there is said to be room again.

import { randomUUID } from 'node:crypto';
import { statfs, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export type Room = { ok: boolean; detail?: string; freeBytes?: number; totalBytes?: number };

const lookEveryMs = 5000;
const floorShare = 0.05;
const inodeFloor = 10_000;

/** Looks at the disk of `root` at most every 5 s. `failed` is to be called when a write met a full disk. */
export function watchRoom(root: string, byteFloor: number): { look: () => Promise<Room>; failed: () => void } {
  let suspicious = false;
  let last: { at: number; room: Promise<Room> } | undefined;

  async function lookNow(): Promise<Room> {
    const { short, ...bytes } = await shortage(root, byteFloor);
    if (short) return { ok: false, detail: short, ...bytes };
    if (suspicious) {
      const fault = await tryWriting(join(root, 'tmp', randomUUID()));
      if (fault) return { ok: false, detail: `The disk of ${root} cannot be written: ${fault}.`, ...bytes };
      suspicious = false;
    }
    return { ok: true, ...bytes };
  }

  return {
    look() {
      if (!last || performance.now() - last.at > lookEveryMs) last = { at: performance.now(), room: lookNow() };
      return last.room;
    },
    failed() {
      suspicious = true;
      last = undefined;
    },
  };
}

type Shortage = { short?: string; freeBytes?: number; totalBytes?: number };

async function shortage(root: string, byteFloor: number): Promise<Shortage> {
  try {
    const { bavail, blocks, bsize, ffree, files } = await statfs(root);
    const bytes = { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
    if (bytes.freeBytes < Math.min(byteFloor, bytes.totalBytes * floorShare))
      return { short: `The disk of ${root} is full.`, ...bytes };
    // Some file systems have no fixed number of inodes and say 0 of 0.
    if (files > 0 && ffree < Math.min(inodeFloor, files * floorShare))
      return { short: `The disk of ${root} has no inodes left.`, ...bytes };
    return bytes;
  } catch (error) {
    return { short: `The disk of ${root} does not answer: ${(error as Error).message}.` };
  }
}

async function tryWriting(path: string): Promise<string | undefined> {
  try {
    await writeFile(path, Buffer.alloc(65_536), { flag: 'wx', flush: true });
    return undefined;
  } catch (error) {
    return (error as Error).message;
  } finally {
    await unlink(path).catch(() => {});
  }
}
