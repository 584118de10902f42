// lock-holder.ts — a process that locks and releases a folder on command, for lock.test.ts.
//
// Started with the folder as argument; obeys the lines `lock` and `release`; answers `locked`, `released`, or the refusal.

import { createInterface } from 'node:readline';
import { lockFolder } from '../../src/db/lock.ts';

const folder = process.argv[2] ?? '';
let release: (() => Promise<void>) | undefined;
console.log('ready');
for await (const command of createInterface({ input: process.stdin })) {
  try {
    if (command === 'lock') {
      release = await lockFolder(folder, 1500);
      console.log('locked');
    } else {
      await release?.();
      release = undefined;
      console.log('released');
    }
  } catch (error) {
    console.log((error as Error).message);
  }
}
