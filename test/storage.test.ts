// storage.test.ts — runs the suite over every driver, and what only a disk can do wrong.

import { execFileSync } from 'node:child_process';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, open, readdir, rm, symlink, utimes, writeFile, type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { openDisk } from '../src/storage/disk.ts';
import { openStorage } from '../src/storage/index.ts';
import { keyOf, type Storage } from '../src/storage/storage.ts';
import { silent } from './support/databases.ts';
import { startS3, type S3Server } from './support/s3.ts';
import { storageSuite } from './suites/storage.ts';

const image = { type: 'image/jpeg' };
const aKey = () => keyOf(`${randomBytes(13).toString('hex')}.jpg`);
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'darkroom-storage-test-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const openHere = (diskFloor = 1024) => openDisk({ folder: join(folder, 'files'), diskFloor, log: silent });

describe('disk', () => {
  storageSuite(() => openHere());

  test('leaves no temporary file, neither of a good put nor of a cut one', async () => {
    const storage = await openHere();
    await storage.put(aKey(), Buffer.from('x'), image);
    await expect(storage.put(aKey(), failing(), image)).rejects.toThrow('cut');
    expect(await readdir(join(folder, 'files/tmp'))).toEqual([]);
    await storage.close();
  });

  test('forces the bytes to disk before they get their name, and then the folder', async () => {
    const storage = await openHere();
    const key = aKey();
    const path = join(folder, 'files', key);
    const file = await open(join(folder, 'files'), 'r');
    const forcing = Object.getPrototypeOf(file) as FileHandle;
    await file.close();
    const { datasync, sync } = forcing;
    const order: string[] = [];
    const note = (what: string) => order.push(`${what} ${existsSync(path) ? 'after' : 'before'} the rename`);
    try {
      forcing.datasync = async function (this: FileHandle) {
        await datasync.call(this);
        note('bytes');
      };
      forcing.sync = async function (this: FileHandle) {
        note('folder');
        await sync.call(this);
      };
      await storage.put(key, Buffer.from('x'), image);
    } finally {
      Object.assign(forcing, { datasync, sync });
    }
    expect(order).toContain('bytes before the rename');
    expect(order.at(-1)).toBe('folder after the rename');
    await storage.close();
  });

  test('sweeps temporary files of more than an hour at the start, and leaves younger ones', async () => {
    const temporary = join(folder, 'files/tmp');
    await mkdir(temporary, { recursive: true });
    const hourAgo = new Date(Date.now() - 3_700_000);
    await writeFile(join(temporary, 'old'), 'x');
    await utimes(join(temporary, 'old'), hourAgo, hourAgo);
    await writeFile(join(temporary, 'young'), 'x');
    await (await openHere()).close();
    expect(await readdir(temporary)).toEqual(['young']);
  });

  test('refuses to read or write through a symbolic link', async () => {
    const storage = await openHere();
    await writeFile(join(folder, 'secret'), 'secret');
    const linked = aKey();
    await mkdir(join(folder, 'files', dirname(linked)));
    await symlink(join(folder, 'secret'), join(folder, 'files', linked));
    await expect(storage.open(linked)).rejects.toMatchObject({ code: 'ELOOP' });

    let other = aKey();
    while (dirname(other) === dirname(linked)) other = aKey();
    await mkdir(join(folder, 'outside'));
    await symlink(join(folder, 'outside'), join(folder, 'files', dirname(other)));
    await expect(storage.put(other, Buffer.from('x'), image)).rejects.toThrow('symbolic link');
    await expect(storage.open(other)).rejects.toThrow('symbolic link');
    expect(await readdir(join(folder, 'outside'))).toEqual([]);
    await storage.close();
  });
});

describe.skipIf(!canMount())('a small disk (needs root)', () => {
  let storage: Storage;
  const place = () => join(folder, 'files');
  const mount = (options: string) => execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', place()]);

  async function openSmall(options: string) {
    await mkdir(place());
    mount(options);
    storage = await openHere(1_000_000_000);
  }

  afterEach(async () => {
    await storage.close();
    execFileSync('umount', [place()]);
  });

  test('answers storage_full when the disk is full, leaves nothing, and recovers 10 of 10 times', async () => {
    await openSmall('size=2m');
    for (let round = 0; round < 10; round++) {
      const key = aKey();
      await expect(storage.put(key, randomBytes(3_000_000), image)).rejects.toMatchObject({ code: 'storage_full' });
      expect(await storage.open(key)).toBeUndefined();
      expect(await readdir(join(place(), 'tmp'))).toEqual([]);
      expect(await storage.room()).toMatchObject({ ok: true }); // the trial write succeeded
      await storage.put(key, randomBytes(1_000_000), image);
      await storage.remove([key]);
    }
  });

  test('says that there is no room while the disk is full', async () => {
    await openSmall('size=2m');
    await writeFile(join(place(), 'ballast'), randomBytes(2_000_000));
    await expect(storage.put(aKey(), randomBytes(300_000), image)).rejects.toMatchObject({ code: 'storage_full' });
    expect(await storage.room()).toMatchObject({ ok: false, detail: expect.stringContaining('is full') });
    await rm(join(place(), 'ballast'));
    await storage.put(aKey(), randomBytes(300_000), image);
  });

  test('answers storage_full when the inodes are used up, and says so', async () => {
    await openSmall('size=16m,nr_inodes=60');
    const fill = async () => {
      for (;;) await storage.put(aKey(), Buffer.from('x'), image);
    };
    await expect(fill()).rejects.toMatchObject({ code: 'storage_full' });
    expect(await storage.room()).toMatchObject({ ok: false, detail: expect.stringContaining('inodes') });
  });

  test('answers storage_full on a read-only disk, has no room there, and has again once it can be written', async () => {
    await openSmall('size=2m');
    mount('remount,ro');
    await expect(storage.put(aKey(), Buffer.from('x'), image)).rejects.toMatchObject({ code: 'storage_full' });
    expect(await storage.room()).toMatchObject({ ok: false, detail: expect.stringContaining('cannot be written') });
    mount('remount,rw');
    await storage.put(aKey(), Buffer.from('x'), image);
    expect(await storage.list(undefined, 10)).toHaveLength(1);
  });
});

describe('S3', () => {
  let server: S3Server;
  beforeAll(async () => {
    server = await startS3();
    // The SDK looks for its keys in the environment by itself.
    Object.assign(process.env, server.env);
  });
  afterAll(() => server[Symbol.asyncDispose]());
  const openThere = (prefix: string = randomUUID()) => openAt(server.urlOf(prefix));

  storageSuite(() => openThere());

  test('keeps an object of several parts whole, and gives its middle', async () => {
    const storage = await openThere();
    const bytes = randomBytes(20_000_000);
    const key = aKey();
    const facts = await storage.put(
      key,
      Readable.from([bytes.subarray(0, 9_000_000), bytes.subarray(9_000_000)]),
      image,
    );
    expect(facts).toEqual({ bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest() });
    const found = await storage.open(key, { start: 7_999_999, end: 8_500_000 });
    expect(found && (await buffer(found.body)).equals(bytes.subarray(7_999_999, 8_500_001))).toBe(true);
    await storage.close();
  });

  test('removes more objects than one request takes', async () => {
    const storage = await openThere();
    const keys = Array.from({ length: 1_010 }, aKey);
    await Promise.all(keys.slice(-15).map((key) => storage.put(key, Buffer.from('x'), image)));
    await storage.remove(keys);
    expect(await storage.list(undefined, 10)).toEqual([]);
    await storage.close();
  });

  test('shares a bucket: a prefix sees nothing of another', async () => {
    const [one, other, root] = await Promise.all([openThere('one/deep'), openThere('other'), openThere('')]);
    const key = aKey();
    await one.put(key, Buffer.from('x'), image);
    expect(await other.open(key)).toBeUndefined();
    expect(await other.list(undefined, 10)).toEqual([]);
    expect((await root.list(undefined, 10_000)).map((each) => each.key)).toContain(`one/deep/${key}`);
    await Promise.all([one, other, root].map((storage) => storage.close()));
  });

  test('says that it has no room where there is no such bucket, or nobody answers', async () => {
    const missing = await openAt(server.urlOf('').replace(server.bucket, 'no-such-bucket'));
    expect(await missing.room()).toMatchObject({ ok: false, detail: expect.stringContaining('no-such-bucket') });
    const nobody = await openAt('s3://bucket?region=us-east-1&endpoint=http://127.0.0.1:9');
    expect(await nobody.room()).toMatchObject({ ok: false });
    await expect(nobody.put(aKey(), Buffer.from('x'), image)).rejects.toMatchObject({ code: 'unavailable' });
    await expect(nobody.put(aKey(), Readable.from(['x']), image)).rejects.toMatchObject({ code: 'unavailable' });
    await expect(nobody.open(aKey())).rejects.toMatchObject({ code: 'unavailable' });
    await expect(nobody.remove([aKey()])).rejects.toMatchObject({ code: 'unavailable' });
  });

  test.each([
    ['s3://key:secret@bucket', 'must hold no key: set AWS_ACCESS_KEY_ID'],
    ['s3://bucket?secret=1', '?secret='],
    ['s3://bucket?endpoint=ftp://secret', 'endpoint must be an address'],
    ['s3:///secret', 'must look like s3://bucket/prefix'],
  ])('refuses %j with a sentence', async (url, sentence) => {
    await expect(openAt(url)).rejects.toThrow(sentence);
  });

  test('says where to write the region when nobody has', async () => {
    for (const name of ['AWS_REGION', 'AWS_DEFAULT_REGION']) vi.stubEnv(name, undefined);
    for (const name of ['AWS_CONFIG_FILE', 'AWS_SHARED_CREDENTIALS_FILE']) vi.stubEnv(name, join(folder, 'none'));
    await expect(openAt('s3://bucket')).rejects.toThrow('names no region. Write s3://bucket?region=');
    vi.unstubAllEnvs();
  });
});

const openAt = (url: string) => openStorage({ url, dataDir: folder, diskFloor: 0, log: silent });

test('an unknown scheme is refused with a sentence that names what is possible, and without its secrets', async () => {
  const opening = openAt('ftp://key:secret@bucket');
  await expect(opening).rejects.toThrow('STORAGE_URL has the scheme ftp, for which there is no driver. Use file:, s3:');
  await expect(opening).rejects.not.toThrow('secret');
});

test.each([
  ['', 'files'],
  ['file:there', 'there'],
  ['there', 'there'],
])('STORAGE_URL %j is a folder', async (url, name) => {
  const full = url === '' ? '' : url.replace('there', join(folder, 'there'));
  const storage = await openStorage({ url: full, dataDir: folder, diskFloor: 0, log: silent });
  expect(await readdir(join(folder, name))).toEqual(['tmp']);
  await storage.close();
});

async function* cutStream() {
  yield randomBytes(1000);
  throw new Error('cut');
}

function failing() {
  return Readable.from(cutStream());
}

/** Not every container lets root mount. */
function canMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  try {
    execFileSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', tmpdir()], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
