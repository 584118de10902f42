// disk.ts — objects as files: `<root>/<2 hex>/<name>`, whole or not there.
//
// A body goes to `<root>/tmp`, is forced to disk, renamed, and the folder forced too: after `put` has resolved even a
// power cut keeps the object, and nobody ever sees half of one. Keys come from our own rows; odd ones are refused all
// the same, and so is whatever leads out of the root through a symbolic link.

import { createHash, randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir, open, readdir, realpath, rename, rm, stat, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { Logger } from 'pino';
import { problem } from '../problem.ts';
import { watchRoom } from './room.ts';
import { partsOf, type Storage } from './storage.ts';

export type DiskOptions = { folder: string; diskFloor: number; log: Logger };

const temporaryMs = 3_600_000;
const sweepEveryMs = 600_000;
/** What a full or read-only disk answers: our fault, not that of the picture in hand. */
const full = new Set(['ENOSPC', 'EDQUOT', 'EROFS']);

export async function openDisk({ folder, diskFloor, log }: DiskOptions): Promise<Storage> {
  const temporary = join(folder, 'tmp');
  await mkdir(temporary, { recursive: true, mode: 0o700 });
  const root = await realpath(folder);
  const room = watchRoom(root, diskFloor);
  const sync = shareSyncs();
  const sweep = () =>
    sweepTemporary(temporary).catch((error: unknown) => log.warn({ err: error }, 'temporary files were not swept'));
  await sweep();
  const sweeper = setInterval(() => void sweep(), sweepEveryMs).unref();

  async function put(key: string, body: Buffer | Buffer[] | Readable) {
    const [place, name] = partsOf(key);
    const partial = join(temporary, randomUUID());
    try {
      const facts = await writeWhole(partial, body);
      await intoPlace(root, place, name, partial);
      await sync(join(root, place));
      return facts;
    } catch (error) {
      if (body instanceof Readable) body.destroy();
      await unlink(partial).catch(() => {}); // renamed already, or never made; else the sweep finds it
      if (!full.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
      room.failed();
      throw problem('storage_full', {}, { cause: error });
    }
  }

  async function openObject(key: string, range?: { start: number; end: number }) {
    const [place, name] = partsOf(key);
    const handle = await openPlain(root, place, name);
    if (!handle) return undefined;
    try {
      const { size } = await handle.stat();
      const end = Math.min(range?.end ?? Infinity, size - 1);
      const start = range?.start ?? 0;
      if (start <= end) return { body: handle.createReadStream({ start, end }), bytes: size };
      await handle.close();
      return { body: Readable.from([]), bytes: size };
    } catch (error) {
      await handle.close().catch(() => {});
      throw error;
    }
  }

  return {
    name: 'disk',
    put,
    open: openObject,
    async remove(keys) {
      for (const key of keys) {
        const [place, name] = partsOf(key);
        if (await isOwnFolder(root, place)) await rm(join(root, place, name), { force: true });
      }
    },
    list: (after, limit) => listObjects(root, after, limit),
    room: () => room.look(),
    async close() {
      clearInterval(sweeper);
    },
  };
}

async function writeWhole(path: string, body: Buffer | Buffer[] | Readable) {
  const hash = createHash('sha256');
  let bytes = 0;
  const handle = await open(path, 'wx', 0o600);
  try {
    for await (const piece of Buffer.isBuffer(body) ? [body] : body) {
      // A stream may carry text or plain Uint8Arrays; bytes are counted as bytes.
      const chunk = Buffer.isBuffer(piece) ? piece : Buffer.from(piece as Uint8Array);
      hash.update(chunk);
      bytes += chunk.length;
      await handle.writeFile(chunk); // from the current position, and again until all of it is written
    }
    await handle.datasync();
  } finally {
    await handle.close();
  }
  return { bytes, sha256: hash.digest() };
}

async function intoPlace(root: string, place: string, name: string, partial: string): Promise<void> {
  if (!(await isOwnFolder(root, place))) {
    await mkdir(join(root, place), { mode: 0o700 }).catch(async (error: NodeJS.ErrnoException) => {
      // Another put made it meanwhile; a link that leads nowhere is not that.
      if (error.code !== 'EEXIST' || !(await isOwnFolder(root, place))) throw error;
    });
    await forceFolder(root);
  }
  await rename(partial, join(root, place, name));
}

/** False when it is not there yet; a link in its place is refused. */
async function isOwnFolder(root: string, place: string): Promise<boolean> {
  const path = join(root, place);
  try {
    if ((await realpath(path)) === path) return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
  throw new Error(`${path} leads through a symbolic link.`);
}

/** Never through a link, and plain files only: a named pipe would block for ever. */
async function openPlain(root: string, place: string, name: string): Promise<FileHandle | undefined> {
  if (!(await isOwnFolder(root, place))) return undefined;
  try {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const handle = await open(join(root, place, name), flags);
    if ((await handle.stat()).isFile()) return handle;
    await handle.close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  throw new Error(`${place}/${name} is not a plain file.`);
}

async function listObjects(root: string, after: string | undefined, limit: number) {
  const found: { key: string; bytes: number; at: Date }[] = [];
  const places = (await readdir(root)).filter((name) => /^[0-9a-f]{2}$/.test(name)).toSorted();
  for (const place of places) {
    if (after && place < after.slice(0, 2)) continue;
    for (const name of (await readdir(join(root, place))).toSorted()) {
      const key = `${place}/${name}`;
      if (after && key <= after) continue;
      const { size, mtime } = await stat(join(root, key));
      found.push({ key, bytes: size, at: mtime });
      if (found.length === limit) return found;
    }
  }
  return found;
}

async function sweepTemporary(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Infinity })); // finished meanwhile
    if (mtimeMs < Date.now() - temporaryMs) await rm(path, { force: true });
  }
}

async function forceFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Group commit: whoever asks while a folder is being forced shares the next round, which begins after their rename. */
function shareSyncs(): (path: string) => Promise<void> {
  const rounds = new Map<string, { now: Promise<void>; next: Promise<void> | undefined }>();
  function begin(path: string): Promise<void> {
    const now = forceFolder(path).finally(() => {
      if (!rounds.get(path)?.next) rounds.delete(path);
    });
    rounds.set(path, { now, next: undefined });
    return now;
  }
  return (path) => {
    const round = rounds.get(path);
    if (!round) return begin(path);
    return (round.next ??= round.now.catch(() => {}).then(() => begin(path)));
  };
}
