// downloads.ts — bounds how many sources come in at once, and how many bytes wait for a slot.
//
// A body larger than the whole budget passes alone: how large it is shows only when it has come.

import type { SourceBytes } from './source.ts';

const bytesPerSlots = 48 * 1024 ** 2;
const bytesPerCore = 16 * 1024 ** 2;

export type Downloads = {
  /** Runs `bring` when there is room for one more; the caller says `free` when the bytes are no longer held. */
  run(bring: () => Promise<SourceBytes>, place: Place): Promise<{ source: SourceBytes; free(): void }>;
};

type Place = { lane: number; signal: AbortSignal };

/**
 * Bounds downloads to `most` at once, and to a budget of bytes that wait for a slot. Lane 0 goes first and has as many
 * places again: hundred bulk images of a slow host must not keep a person waiting.
 */
export function openDownloads({ most, cores }: { most: number; cores: number }): Downloads {
  const budget = bytesPerSlots + cores * bytesPerCore;
  const line: { lane: number; start(): void }[] = [];
  let active = 0;
  let held = 0;

  function next(): void {
    for (;;) {
      const first = line.findIndex(({ lane }) => lane === 0);
      const entry = line[Math.max(0, first)];
      if (!entry || held >= budget || active >= (entry.lane === 0 ? 2 * most : most)) return;
      line.splice(line.indexOf(entry), 1);
      active += 1;
      entry.start();
    }
  }

  function enter({ lane, signal }: Place): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason as Error);
      const entry = { lane, start };
      function start(): void {
        signal.removeEventListener('abort', abort);
        resolve();
      }
      function abort(): void {
        line.splice(line.indexOf(entry), 1);
        reject(signal.reason as Error);
      }
      signal.addEventListener('abort', abort, { once: true });
      line.push(entry);
      next();
    });
  }

  return {
    async run(bring, place) {
      await enter(place);
      try {
        const source = await bring();
        held += source.bytes;
        const free = () => {
          held -= source.bytes;
          next();
        };
        return { source, free };
      } finally {
        active -= 1;
        next();
      }
    },
  };
}
