// findings.ts — what a run must not show, counted, with a line for each that helps to find the cause.

/** Each must be zero. */
export const wrongs = [
  'lost',
  'stuck',
  'duplicated',
  'torn',
  'miscounted',
  'eventsMissed',
  'webhooksMissing',
  'innocentsFailed',
  'attemptsWasted',
  'orphans',
  'surprises',
] as const;
export type Wrong = (typeof wrongs)[number];

export type Findings = {
  counts: Record<Wrong, number>;
  /** At most some of each kind. */
  details: string[];
  add(wrong: Wrong, detail: string, count?: number): void;
};

const mostDetails = 12;

export function openFindings(): Findings {
  const counts = Object.fromEntries(wrongs.map((wrong) => [wrong, 0])) as Record<Wrong, number>;
  const told = new Map<Wrong, number>();
  const details: string[] = [];
  return {
    counts,
    details,
    add(wrong, detail, count = 1) {
      counts[wrong] += count;
      const before = told.get(wrong) ?? 0;
      told.set(wrong, before + 1);
      if (before < mostDetails) details.push(`${wrong}: ${detail}`);
    },
  };
}
