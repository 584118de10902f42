// schedule.ts — decides what the end of one try means for its delivery. Nothing here touches database or network.

import type { Reply } from '../egress/egress.ts';
import type { Problem } from '../problem.ts';

const seconds = 1000;
const minutes = 60 * seconds;
const hours = 60 * minutes;

/** How long before each try: eight tries in about 28 hours. */
export const deliverySchedule: readonly number[] = [
  0,
  5 * seconds,
  5 * minutes,
  30 * minutes,
  2 * hours,
  5 * hours,
  10 * hours,
  10 * hours,
];

const longestRetryAfter = 1 * hours;

export type Answer = Reply | { problem: Problem; ms: number };

export type Verdict =
  | { state: 'delivered' }
  /** `gone`: the receiver said 410, so nothing is sent to it again. */
  | { state: 'dead'; gone: boolean }
  | { state: 'queued'; waitMs: number };

/** Only 2xx is an arrival: a redirect is not followed, and so the receiver it points to has heard nothing. */
export function judge(answer: Answer, attempts: number, schedule: readonly number[], random: number): Verdict {
  if ('status' in answer && answer.status >= 200 && answer.status < 300) return { state: 'delivered' };
  if ('status' in answer && answer.status === 410) return { state: 'dead', gone: true };
  const wait = schedule[attempts];
  if (wait === undefined) return { state: 'dead', gone: false };
  // Up to a tenth more, so that what failed together does not come back together.
  const waitMs = wait * (1 + random / 10);
  return { state: 'queued', waitMs: Math.max(waitMs, Math.min(retryAfterOf(answer) ?? 0, longestRetryAfter)) };
}

function retryAfterOf(answer: Answer): number | undefined {
  return 'status' in answer ? answer.retryAfterMs : answer.problem.facts.retryAfterMs;
}
