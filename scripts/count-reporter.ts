// count-reporter.ts — a Vitest reporter that says nothing and leaves the counts of a run in a file.

import { writeFileSync } from 'node:fs';
import type { Reporter } from 'vitest/node';

/** Name of the variable that holds the file to write to. */
export const countsFile = 'DARKROOM_TEST_COUNTS';

/** `again` names the tests that failed first and passed when asked a second time. */
export type Counts = { passed: number; failed: number; skipped: number; again: string[] };

/** Vitest calls this with `new`, and takes what it returns. */
export default function countReporter(): Reporter {
  return {
    onTestRunEnd(modules) {
      const counts: Counts = { passed: 0, failed: 0, skipped: 0, again: [] };
      for (const module of modules) {
        const before = counts.failed;
        for (const test of module.children.allTests()) {
          const { state } = test.result();
          if (state !== 'pending') counts[state] += 1;
          if (test.diagnostic()?.flaky) counts.again.push(`${module.relativeModuleId} > ${test.fullName}`);
        }
        // A file that cannot be loaded, or a failing hook, has no failed test to show for it.
        if (module.state() === 'failed' && counts.failed === before) counts.failed += 1;
      }
      const file = process.env[countsFile];
      if (file) writeFileSync(file, JSON.stringify(counts));
    },
  };
}
