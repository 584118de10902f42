// child.ts — the process that decodes. It alone loads sharp.
//
// Reads one job after the other from stdin and answers on stdout, both blocking: it has nothing else to do. It holds no
// secret, may read no file but its own code and start no program, and is killed from outside when it takes too long or
// too much. When the parent is gone, stdin ends, and so does this.

import sharp from 'sharp';
import { serveJobs } from './serve-jobs.ts';
import { testYourself } from './self-test.ts';
import { frameWriter } from './pipe.ts';

sharp.cache(false);
sharp.concurrency(1);
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: ['Jpeg', 'Png', 'Webp', 'Nsgif', 'Heif', 'Tiff'].map((loader) => `VipsForeignLoad${loader}`),
});

const write = frameWriter(1);
endWithParent(process.ppid);
if (process.platform !== 'linux') reportMemory();
await testYourself(sharp);
write({ type: 'ready', versions: { sharp: sharp.versions.sharp ?? '', vips: sharp.versions.vips ?? '' } });
await serveJobs({ open: sharp, input: 0, write });
process.exit(0);

/** While a picture is decoded nobody reads stdin, so the end of the parent shows only by who the parent is. */
function endWithParent(parent: number): void {
  const timer = setInterval(() => {
    // exit() would wait for the very decode that may never end.
    if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL');
  }, 500);
  timer.unref();
}

/** Where the parent cannot look into /proc. */
function reportMemory(): void {
  setInterval(() => write({ type: 'memory', rss: process.memoryUsage.rss() }), 50).unref();
}
