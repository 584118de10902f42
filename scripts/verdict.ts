// verdict.ts — what the end of a test run means: its closing line and whether it was good.

import type { Counts } from './count-reporter.ts';

export type Run = { exitCode: number; counts: Counts | undefined; failedChecks: number };

/**
 * The closing line counts tests, and each failed check as one failure more. It never says "0 failed" about a bad run:
 * a crash, or an error outside of any test, fails a run without a failed test; a run that left no counts was none.
 */
export function verdict({ exitCode, counts, failedChecks }: Run): { line: string; good: boolean } {
  const { passed, failed, skipped } = counts ?? { passed: 0, failed: 0, skipped: 0 };
  const bad = exitCode !== 0 || counts === undefined;
  const failures = (bad && failed === 0 ? 1 : failed) + failedChecks;
  const line = `${passed} passed, ${failures} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
  return { line, good: failures === 0 };
}
