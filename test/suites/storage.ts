// storage.ts — what every storage driver must do: the promises of src/storage/storage.ts, one by one.

import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { keyOf, type Storage } from '../../src/storage/storage.ts';

const image = { type: 'image/jpeg' };
const aKey = () => keyOf(`${randomBytes(13).toString('hex')}.jpg`);

/** `open` gives an empty storage each time. */
export function storageSuite(open: () => Promise<Storage>): void {
  let storage: Storage;
  beforeEach(async () => {
    storage = await open();
  });
  afterEach(() => storage.close());

  const read = async (key: string) => {
    const found = await storage.open(key);
    return found && buffer(found.body);
  };

  test.each([
    ['a buffer', (bytes: Buffer) => bytes],
    ['chunks', (bytes: Buffer) => [bytes.subarray(0, 7), bytes.subarray(7, 7), bytes.subarray(7)]],
    ['a stream', (bytes: Buffer) => Readable.from([bytes.subarray(0, 100_000), bytes.subarray(100_000)])],
  ])('gives back what was put as %s, with its size and hash', async (_kind, bodyOf) => {
    const bytes = randomBytes(300_001);
    const key = aKey();
    const facts = await storage.put(key, bodyOf(bytes), image);
    expect(facts).toEqual({ bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest() });
    const found = await storage.open(key);
    expect(found?.bytes).toBe(bytes.length);
    expect(found && (await buffer(found.body)).equals(bytes)).toBe(true);
  });

  test('keeps an empty object', async () => {
    const key = aKey();
    await storage.put(key, Buffer.alloc(0), image);
    expect(await read(key)).toEqual(Buffer.alloc(0));
  });

  test('gives a range, inclusive at both ends and cut at the end of the object', async () => {
    const key = aKey();
    await storage.put(key, Buffer.from('0123456789'), image);
    const range = async (start: number, end: number) => {
      const found = await storage.open(key, { start, end });
      return [found && (await buffer(found.body)).toString(), found?.bytes];
    };
    expect(await range(0, 0)).toEqual(['0', 10]);
    expect(await range(2, 4)).toEqual(['234', 10]);
    expect(await range(8, 99)).toEqual(['89', 10]);
    expect(await range(10, 20)).toEqual(['', 10]);
  });

  test('knows nothing of an object that was never put', async () => {
    expect(await storage.open(aKey())).toBeUndefined();
  });

  test('shows nothing under the key until put has ended', async () => {
    const key = aKey();
    const body = new Readable({ read() {} });
    const put = storage.put(key, body, image);
    body.push(randomBytes(200_000));
    await new Promise((resolve) => setImmediate(resolve));
    expect(await storage.open(key)).toBeUndefined();
    body.push(null);
    await put;
    expect(await read(key)).toHaveLength(200_000);
  });

  test('leaves nothing of a stream that is cut', async () => {
    for (const cut of [0, 1, 65_536, 1_000_000]) {
      const key = aKey();
      const body = Readable.from(
        (async function* () {
          if (cut > 0) yield randomBytes(cut);
          throw new Error('cut');
        })(),
      );
      await expect(storage.put(key, body, image)).rejects.toThrow('cut');
      expect(await storage.open(key)).toBeUndefined();
    }
    expect(await storage.list(undefined, 10)).toEqual([]);
  });

  test('leaves nothing of a stream that is destroyed without an error', async () => {
    const key = aKey();
    const body = new Readable({ read() {} });
    body.push(randomBytes(1000));
    setImmediate(() => body.destroy());
    await expect(storage.put(key, body, image)).rejects.toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
    expect(await storage.open(key)).toBeUndefined();
  });

  test('removes objects, and does not mind absent ones', async () => {
    const [kept, gone] = [aKey(), aKey()];
    await storage.put(kept, Buffer.from('a'), image);
    await storage.put(gone, Buffer.from('b'), image);
    await storage.remove([gone, aKey(), gone]);
    expect(await storage.open(gone)).toBeUndefined();
    expect(await read(kept)).toEqual(Buffer.from('a'));
  });

  test('lists every object once, in key order, page by page', async () => {
    const keys = Array.from({ length: 25 }, aKey);
    await Promise.all(keys.map((key) => storage.put(key, Buffer.from(key), image)));
    const listed = [];
    for (let page; page === undefined || page.length > 0;) {
      page = await storage.list(listed.at(-1)?.key, 10);
      listed.push(...page);
    }
    expect(listed.map(({ key }) => key)).toEqual(keys.toSorted());
    expect(listed[0]).toMatchObject({ bytes: keys[0]?.length, at: expect.any(Date) });
  });

  test.each([
    '',
    '/',
    '../etc/passwd',
    'tmp/x',
    '00/../../x',
    `${aKey()}/x`,
    '/etc/passwd',
    'zz/name.jpg',
    '00/wrong.jpg',
  ])('refuses the odd key %j', async (key) => {
    await expect(storage.put(key, Buffer.from('x'), image)).rejects.toThrow('storage key');
    await expect(storage.open(key)).rejects.toThrow('storage key');
    await expect(storage.remove([key])).rejects.toThrow('storage key');
  });

  test.each(['..', '.hidden', 'a/b.jpg', 'a\\b.jpg', 'a\0b.jpg', `${'a'.repeat(300)}.jpg`])(
    'refuses the odd name %j under its right folder',
    async (name) => {
      await expect(storage.put(keyOf(name), Buffer.from('x'), image)).rejects.toThrow('storage key');
      await expect(storage.open(keyOf(name))).rejects.toThrow('storage key');
    },
  );

  test('has room', async () => {
    expect(await storage.room()).toMatchObject({ ok: true });
  });
}
