// figures.ts — how often a fault is tried, and the line of figures that the long form of its test prints.

/** DARKROOM_TEST_ROUNDS; 1 unless somebody asks for the long form. */
export const rounds = Number(process.env.DARKROOM_TEST_ROUNDS ?? 1);

/** Prints how often a fault was tried, how long something took in seconds, if it was timed, and how much was lost. */
export function tellFigures(fault: string, figures: { rounds: number; seconds?: number[]; lost: number }): void {
  const { seconds = [] } = figures;
  const sorted = seconds.toSorted((a, b) => a - b);
  const share = (part: number) => (sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? 0).toFixed(2);
  const waits = `, p50 ${share(0.5)} s, p95 ${share(0.95)} s, max ${share(1)} s of ${sorted.length}`;
  console.log(`${fault}: ${figures.rounds} rounds${sorted.length > 0 ? waits : ''}, lost ${figures.lost}`);
}
