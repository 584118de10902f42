// lock.test.ts — the folder of the embedded database has one owner (invariant I15), whatever happens to processes.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { lockFolder } from '../src/db/lock.ts';

const script = join(import.meta.dirname, 'support/lock-holder.ts');
const started: ChildProcess[] = [];
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'darkroom-lock-test-'));
});

afterEach(async () => {
  vi.unstubAllEnvs();
  for (const child of started.splice(0)) child.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

async function startProcess(where = folder) {
  const child = spawn(process.execPath, [script, where], { stdio: ['pipe', 'pipe', 'inherit'] });
  started.push(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => String((await lines.next()).value);
  expect(await answer()).toBe('ready');
  return {
    pid: child.pid ?? 0,
    tell: (command: 'lock' | 'release') => {
      child.stdin.write(`${command}\n`);
      return answer();
    },
    signal: (name: NodeJS.Signals) => child.kill(name),
    async kill() {
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    },
  };
}

async function leaveDeadLock() {
  const dead = await startProcess();
  expect(await dead.tell('lock')).toBe('locked');
  await dead.kill();
}

test('a living owner keeps others out and is named by its pid', async () => {
  const owner = await startProcess();
  expect(await owner.tell('lock')).toBe('locked');
  await expect(lockFolder(folder)).rejects.toThrow(`in use by process ${owner.pid}.`);
});

test('a stopped owner counts as alive and is named by its pid', async () => {
  const owner = await startProcess();
  expect(await owner.tell('lock')).toBe('locked');
  owner.signal('SIGSTOP');
  await expect(lockFolder(folder, 1500)).rejects.toThrow(`in use by process ${owner.pid}.`);
  owner.signal('SIGCONT');
  expect(await owner.tell('release')).toBe('released');
});

test('kill -9 of the owner frees the folder at once', async () => {
  const owner = await startProcess();
  expect(await owner.tell('lock')).toBe('locked');
  await owner.kill();
  const before = performance.now();
  const release = await lockFolder(folder);
  expect(performance.now() - before).toBeLessThan(1000);
  await release();
});

test('a released folder can be locked again and nothing of the lock is left', async () => {
  const release = await lockFolder(folder);
  await release();
  await (
    await lockFolder(folder)
  )();
  expect(await readdir(join(folder, 'lock'))).toEqual([]);
});

test('a folder with a path too long for a socket is locked all the same', async () => {
  vi.stubEnv('TMPDIR', folder); // its stand-in lies in the temporary folder
  const deep = join(folder, 'x'.repeat(120));
  await mkdir(deep);
  const owner = await startProcess(deep);
  expect(await owner.tell('lock')).toBe('locked');
  await expect(lockFolder(deep)).rejects.toThrow(`in use by process ${owner.pid}.`);
  expect(await owner.tell('release')).toBe('released');
});

test('of four that start at once exactly one becomes owner, 12 of 12 times', async () => {
  const four = await Promise.all(Array.from({ length: 4 }, () => startProcess()));
  for (let round = 1; round <= 12; round++) {
    if (round % 2 === 0) await leaveDeadLock();
    const answers = await Promise.all(four.map((each) => each.tell('lock')));
    const owner = four[answers.indexOf('locked')];
    expect(answers.filter((answer) => answer === 'locked')).toHaveLength(1);
    const refusals = answers.filter((answer) => answer.includes(`in use by process ${owner?.pid}.`));
    expect(refusals).toHaveLength(3);
    await Promise.all(four.map((each) => each.tell('release')));
  }
});
