// rogue.ts — a child that does what the rendition's name says: hangs, eats memory, or looks where it may not.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { honestHeader, honestRendition, nextJob, png, ready, waitForGo, write } from './child.ts';

const held: Buffer[] = [];

const deeds: Record<string, () => unknown> = {
  hang: () => {
    for (;;);
  },
  eat: () => {
    for (;;) held.push(Buffer.alloc(8 * 1024 * 1024, 1));
  },
  read: () => readFileSync('/etc/hostname', 'utf8'),
  spawn: () => spawnSync('/bin/true').status,
  environment: () => Object.keys(process.env).toSorted().join(' '),
  priority: () => getPriority(),
  adjust: () => readFileSync(`/proc/self/oom_score_adj`, 'utf8'),
};

ready();
for (;;) {
  const job = nextJob();
  write(honestHeader(job));
  waitForGo();
  let outcome: string;
  try {
    outcome = String(deeds[job.renditions[0]!.name]?.());
  } catch (error) {
    outcome = String((error as NodeJS.ErrnoException).code);
  }
  write(honestRendition(job), Buffer.concat([png, Buffer.from(`|${outcome}`)]));
  write({ type: 'done', id: job.id });
}
