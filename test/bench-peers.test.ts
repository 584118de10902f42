// bench-peers.test.ts — what makes the comparison with other programs fair.

import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Lap } from '../bench/lib/pairs.ts';
import { guardAlike } from '../bench/lib/peer-guard.ts';
import { choosePeers, kinds } from '../bench/lib/peer-kinds.ts';
import { catalogRow, cpuRow, idsOf, seededRow } from '../bench/lib/peer-rows.ts';
import { operations } from '../bench/operations.ts';
import { noise } from '../bench/synthetic.ts';
import { targets } from '../bench/targets.ts';

const peers = new URL('../bench/peers/', import.meta.url);
const facts = { reference: true, noise: 0 };
/** Ten images in so many seconds, with so many CPU-ms each. */
const laps = (seconds: number, cpuMs = 50): Lap[] => [
  { images: 10, wallMs: seconds * 1000, cpu: { worker: cpuMs * 10 } },
];

describe('peers', () => {
  test('each is at most eighty lines of program, and says in its README what it does less', () => {
    for (const name of choosePeers([])) {
      const folder = new URL(`${name}/`, peers);
      const programs = readdirSync(folder).filter((file) => /\.(mjs|py)$/.test(file));
      const lines = programs.map((file) => readFileSync(new URL(file, folder), 'utf8').trimEnd().split('\n').length);
      expect(lines.reduce((sum, each) => sum + each, 0)).toBeLessThanOrEqual(80);
      expect(readFileSync(new URL('README.md', folder), 'utf8')).toContain('It does less than Darkroom');
    }
  });

  test('use every core, and as seeded one image at a time or one task', () => {
    expect(kinds.bullmq.concurrency(2)).toEqual({ tuned: 3, 'as-seeded': 1 });
    expect([kinds.celery.concurrency(4).tuned, kinds.rabbitmq.concurrency(4).tuned]).toEqual([4, 4]);
  });

  test('an unknown one is named, and every row of the family belongs to one', () => {
    expect(() => choosePeers(['celery', 'sidekiq'])).toThrow('There is no peer "sidekiq"');
    const rows = targets.filter(({ family }) => family === 'peer').map(({ id }) => id);
    expect(choosePeers([]).flatMap(idsOf).toSorted()).toEqual(rows.toSorted());
  });
});

describe('the guard between two engines', () => {
  let folder = '';
  let photos: { name: string; path: string; bytes: number; width: number; height: number }[] = [];
  let source = Buffer.alloc(0);
  const encode = (quality: number, width = 400) => sharp(source).resize(width).jpeg({ quality }).toBuffer();
  const guard = (ours: Buffer, theirs: Buffer | undefined, samePixels = true) =>
    guardAlike(
      { corpus: { kind: 'photos', digest: '', photos } },
      [{ name: 'a', body: ours }],
      theirs ? [{ name: 'a', body: theirs }] : [],
      samePixels,
    );
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'darkroom-peers-test-'));
    source = await sharp(await noise(400, 300, 4), { raw: { width: 400, height: 300, channels: 3 } })
      .jpeg({ quality: 95 })
      .toBuffer();
    const path = join(folder, 'a.jpg');
    await writeFile(path, source);
    photos = [{ name: 'a.jpg', path, bytes: source.length, width: 400, height: 300 }];
  });
  afterAll(() => rm(folder, { recursive: true }));

  test('refuses a missing result, another size and fewer channels', async () => {
    const [ours, smaller] = [await encode(50), await encode(50, 398)];
    const grey = await sharp(ours).grayscale().toColourspace('b-w').jpeg().toBuffer();
    expect((await guard(ours, undefined)).fault).toBe('a is missing at the peer');
    expect((await guard(ours, smaller)).fault).toMatch(/^a is 400x300x3 here and 398x/);
    expect((await guard(ours, grey)).fault).toMatch(/400x300x1 there$/);
    expect((await guard(ours, await encode(50, 399), false)).fault).toBeUndefined();
  });

  test('refuses a side that gives quality away, where the size stays as it was', async () => {
    const [ours, alike, worse] = [await encode(50), await encode(51), await encode(40)];
    expect(await guard(ours, alike)).toMatchObject({ fault: undefined, bytes: { ours: ours.length } });
    expect((await guard(ours, worse)).fault).toMatch(/^luma differs by \d\.\d\d dB$/);
    expect((await guard(ours, worse, false)).fault).toBeUndefined();
  });

  test('counts apart the sources that were kept', async () => {
    expect(await guard(source, await encode(50), false)).toMatchObject({ kept: 1, fault: undefined });
  });
});

describe('rows of peers', () => {
  const likeness = { fault: undefined, bytes: { ours: 9, theirs: 10 }, kept: 0 };

  test('a ratio above one is in our favour, of images and of CPU alike', () => {
    const pair = { house: laps(1, 50), tuned: laps(1.2, 70) };
    const speed = catalogRow('T8-bullmq', 'bullmq', pair, likeness, facts);
    expect(speed).toMatchObject({ figure: 1.2, verdict: 'aim', against: 'BullMQ', note: '0.90 of its bytes' });
    expect(cpuRow('T8-bullmq', 'bullmq', pair, 0)).toMatchObject({ figure: 1.4, ours: 50, reference: 70 });
    const refused = { ...likeness, fault: 'a is missing at the peer' };
    expect(catalogRow('T8-bullmq', 'bullmq', pair, refused, facts).verdict).toBe('refused');
  });

  test('a peer as seeded is compared in units of what we win against the tuned one', () => {
    const [, , b] = operations;
    if (!b) throw new Error('no operation (b)');
    const all = { house: laps(1), tuned: laps(1.4), seeded: laps(2.8) };
    const celery = seededRow('celery', b, all, { ...facts, cores: 2 });
    expect(celery).toMatchObject({
      id: 'T10-celery',
      figure: 1,
      verdict: 'aim',
      note: '2.80 times its images per second',
    });
    expect(seededRow('bullmq', b, all, { ...facts, cores: 2 })).toMatchObject({ figure: 2, verdict: 'aim' });
  });
});
