// nursery.ts — keeps V8's nursery small in a process that answers HTTP and does nothing else.

import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

const enough = 16 * 1024 * 1024;

/**
 * Ends the growth of V8's nursery at 16 to 32 MB; by itself it doubles up to 128 MB while a catalog of a million rows goes
 * through, whose rows live for milliseconds. Not for a process that works on pictures: what is under way there lives longer
 * than such a nursery lasts, and each collection becomes one of the whole heap (twice the CPU a picture).
 *
 * V8 reads this factor each time it is about to grow the nursery, so that it can be set while the process runs.
 */
export function boundNursery(): void {
  const collections = new PerformanceObserver(() => {
    if (nurseryBytes() < enough) return;
    setFlagsFromString('--semi-space-growth-factor=1');
    collections.disconnect();
  });
  collections.observe({ entryTypes: ['gc'] });
}

/** Both halves. */
export function nurseryBytes(): number {
  return getHeapSpaceStatistics().find((space) => space.space_name === 'new_space')?.space_size ?? 0;
}
