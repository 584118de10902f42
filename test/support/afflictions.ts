// afflictions.ts — settings under which a process of the product stands still on SIGUSR2, or lives in another day.

import { globSync } from 'node:fs';
import { join } from 'node:path';

const preload = { NODE_OPTIONS: `--import=${join(import.meta.dirname, 'afflicted.ts')}` };
const [faketime] = globSync('/usr/lib/*/faketime/libfaketime.so.1');

/** How the clock is shifted: of the whole process where libfaketime is installed, else of its JavaScript. */
export const clockShift = faketime ? 'libfaketime' : 'Date';

/** At each SIGUSR2 its event loop is blocked for so long. */
export const blockedOnSignal = (ms: number) => ({ ...preload, TEST_BLOCKED_MS: String(ms) });

/** Its clock is so many days ahead, or behind. */
export function clockOff(days: 1 | -1): Record<string, string> {
  if (!faketime) return { ...preload, TEST_CLOCK_OFF_MS: String(days * 86_400_000) };
  return { LD_PRELOAD: faketime, FAKETIME: `${days > 0 ? '+' : '-'}1d`, FAKETIME_DONT_FAKE_MONOTONIC: '1' };
}
