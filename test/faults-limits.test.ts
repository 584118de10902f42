// faults-limits.test.ts — faults 15 and 16 of the reliability table: the disk takes nothing, or no file can be opened.
//
// A full disk stands in kills.test.ts, too. DARKROOM_TEST_ROUNDS=10 makes the long run, of every way in which a disk fails.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { catalogForm, numbers, openCluster, type Cluster } from './support/cluster.ts';
import { databaseEngines, emptyPostgres } from './support/databases.ts';
import { rounds, tellFigures } from './support/figures.ts';
import { openGallery } from './support/gallery.ts';

type Trouble = 'full' | 'without inodes' | 'read-only';
const troubles: Trouble[] = rounds > 1 ? ['full', 'without inodes', 'read-only'] : ['read-only'];
const imagesPerRound = 60;
const patience = { timeout: 60_000, interval: 100 };
const timeout = { timeout: 120_000 + rounds * 120_000 };

const isRoot = process.platform === 'linux' && process.getuid?.() === 0;
const canMount = isRoot && mounts();
if (!canMount)
  console.warn('SKIPPED: faults 15 and 16 of the table, because only root can mount a disk and set limits.');
const canRun = canMount && databaseEngines.includes('postgres');

for (const trouble of troubles)
  test.skipIf(!canRun)(
    `fault 15: a disk that is ${trouble} costs nobody a try (${rounds} rounds)`,
    timeout,
    async () => {
      const disk = openDisk();
      await using gallery = await openGallery({ delayMs: 100 });
      const postgres = await emptyPostgres();
      const seconds: number[] = [];
      try {
        const env = { DARKROOM_ALLOW_HOSTS: gallery.host, STORAGE_URL: `file:${disk.path}` };
        await using house = await openCluster({ databaseUrl: postgres.url, env, files: disk.path });
        await house.hire();
        const ids: string[] = [];
        for (let round = 0; round < rounds; round += 1) {
          const from = round * imagesPerRound + 1;
          ids.push(await house.submit(numbers(imagesPerRound, from).map(gallery.url)));
          await expect.poll(() => done(house), patience).toBeGreaterThanOrEqual(from + 5);
          await disk.spoil(trouble);
          const refused = await untilRefused(house, gallery.url(1));
          ids.push(...refused);
          await expect.poll(() => readiness(house), patience).toBe(503);
          await expect.poll(() => inHand(house), patience).toBe(0);
          expect(await house.missing()).toEqual([]);

          disk.mend(trouble);
          const mended = await house.now();
          await house.endWell(ids.slice(-1 - refused.length));
          seconds.push(await firstEndAfter(house, mended));
          await expect.poll(() => readiness(house), patience).toBe(200);
        }
        expect(await house.mistakes()).toEqual([]);
        const missing = await house.missing();
        tellFigures(`fault 15, ${trouble}, goes on after`, { rounds, seconds, lost: missing.length });
        expect(missing).toEqual([]);
      } finally {
        disk.close();
        await postgres.drop();
      }
    },
  );

test.skipIf(!canRun)(
  `fault 16: who may open no more files puts back and goes on (${rounds} rounds)`,
  timeout,
  async () => {
    await using gallery = await openGallery({ delayMs: 300 });
    const postgres = await emptyPostgres();
    {
      const env = { DARKROOM_ALLOW_HOSTS: gallery.host, DARKROOM_FETCHES_PER_HOST: '64', DARKROOM_SLOTS: '4' };
      await using house = await openCluster({ databaseUrl: postgres.url, env });
      const worker = await house.hire();
      const ids: string[] = [];
      const seconds: number[] = [];
      for (let round = 0; round < rounds; round += 1) {
        const heard = worker.output().length;
        // Fewer than 128: what it holds open when it is idle, and a few more.
        limitFiles(worker.pid, readdirSync(`/proc/${worker.pid}/fd`).length + 6);
        ids.push(await house.submit(numbers(imagesPerRound, round * imagesPerRound + 1).map(gallery.url)));
        await expect.poll(() => worker.output().slice(heard), patience).toContain('EMFILE');
        await sleep(1_000);
        limitFiles(worker.pid, 4_096);
        const mended = await house.now();
        await house.endWell(ids.slice(-1));
        seconds.push(await firstEndAfter(house, mended));
      }
      expect(await house.mistakes()).toEqual([]);
      const lost = await house.lost(ids.length * imagesPerRound);
      tellFigures('fault 16, goes on after', { rounds, seconds, lost });
      expect(lost).toBe(0);
      expect(await worker.end('SIGTERM')).toBe(0);
    }
    await postgres.drop();
  },
);

const done = async (house: Cluster) => (await house.ask(`select 1 from images where state = 'succeeded'`)).length;

/** It is remembered for two seconds. */
const readiness = async ({ api }: Cluster) => (await fetch(`${api.url}/readyz`)).status;

const inHand = async (house: Cluster) => (await house.ask(`select 1 from images where state = 'running'`)).length;

/** Sends catalogs until one is refused for want of room; the ids of those that were taken. */
async function untilRefused(house: Cluster, url: string): Promise<string[]> {
  const taken: string[] = [];
  const send = async (): Promise<number> => {
    const answer = await fetch(`${house.api.url}/upload`, { method: 'POST', body: catalogForm([url]) });
    const { request_id: id } = (await answer.json()) as { request_id?: string };
    if (id) taken.push(id);
    return answer.status;
  };
  await expect.poll(send, { timeout: 30_000, interval: 500 }).toBe(507);
  return taken;
}

/** Seconds from that time to the first image that ended after it. */
async function firstEndAfter(house: Cluster, from: number): Promise<number> {
  const [row] = await house.ask<{ at: Date }>('select min(finished_at) as at from images where finished_at > $1', [
    new Date(from),
  ]);
  return (row!.at.getTime() - from) / 1000;
}

/** Only the soft limit, which may be raised again. */
const limitFiles = (pid: number, most: number) => execFileSync('prlimit', ['--pid', String(pid), `--nofile=${most}:`]);

/** A small disk of its own that can be spoilt. */
function openDisk() {
  const path = mkdtempSync(join(tmpdir(), 'darkroom-spoilt-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m,nr_inodes=4000', 'tmpfs', path]);
  const remount = (how: 'ro' | 'rw') => execFileSync('mount', ['-o', `remount,${how}`, path], { stdio: 'ignore' });
  const ballast = join(path, 'ballast');
  return {
    path,
    async spoil(trouble: Trouble): Promise<void> {
      if (trouble === 'full') tryWriting(() => writeFileSync(ballast, Buffer.alloc(64 * 1024 ** 2)));
      else if (trouble === 'without inodes') {
        execFileSync('mkdir', [ballast]);
        for (let n = 0; tryWriting(() => writeFileSync(join(ballast, String(n)), '')); n += 1);
      }
      // Not while something is being written.
      else while (!tryWriting(() => remount('ro'))) await sleep(5);
    },
    mend(trouble: Trouble): void {
      if (trouble === 'read-only') remount('rw');
      else rmSync(ballast, { recursive: true, force: true });
    },
    close(): void {
      execFileSync('umount', ['-l', path]);
      rmSync(path, { recursive: true, force: true });
    },
  };
}

function tryWriting(write: () => unknown): boolean {
  try {
    write();
    return true;
  } catch {
    return false;
  }
}

/** Not every container lets root mount. */
function mounts(): boolean {
  return tryWriting(() =>
    execFileSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', tmpdir()], { stdio: 'ignore' }),
  );
}
