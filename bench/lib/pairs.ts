// pairs.ts — runs the sides of a comparison interleaved, and says what the pairs say.
//
// A machine drifts; two sides measured one after the other differ by the drift. So A B A B, and each ratio is of
// neighbours. Single pairs of the same code have given 1.0 and 0.69: median with min and max, never the best of n.

/** One side's run over a known number of images. */
export type Lap = { images: number; wallMs: number; cpu: Cpu; bytes?: number };
/** CPU-ms by process of the system under test; a bare side has only `worker`. */
export type Cpu = { api?: number; worker: number; children?: number; postgres?: number; broker?: number };

export type Comparison = { ours: number; reference: number; ratio: number; min: number; max: number; n: number };

/** Runs every side once a round, in the order written, `rounds` times. */
export async function interleave<Side extends string>(
  sides: Record<Side, (round: number) => Promise<Lap>>,
  rounds: number,
): Promise<Record<Side, Lap[]>> {
  const names = Object.keys(sides) as Side[];
  const laps = Object.fromEntries(names.map((name) => [name, [] as Lap[]])) as Record<Side, Lap[]>;
  for (let round = 0; round < rounds; round++) for (const name of names) laps[name].push(await sides[name](round));
  return laps;
}

/** Compares neighbours: the median of the ratios, with the extremes; the two figures are medians of their own side. */
export function compare(ours: Lap[], reference: Lap[], figure: (lap: Lap) => number): Comparison {
  const pairs = ours.flatMap((lap, round) => {
    const neighbour = reference[round];
    return neighbour ? [{ ours: figure(lap), reference: figure(neighbour) }] : [];
  });
  const ratios = pairs.map((pair) => pair.ours / pair.reference);
  return {
    ours: median(pairs.map((pair) => pair.ours)),
    reference: median(pairs.map((pair) => pair.reference)),
    ratio: median(ratios),
    min: Math.min(...ratios),
    max: Math.max(...ratios),
    n: pairs.length,
  };
}

/** The gate's figure: user and system time of every process of the side, a share per image. */
export const cpuPerImage = (lap: Lap): number => totalCpu(lap.cpu) / lap.images;

export const imagesPerSecond = (lap: Lap): number => (lap.images * 1000) / lap.wallMs;

export function totalCpu(cpu: Cpu): number {
  return Object.values(cpu).reduce((sum, each) => sum + each, 0);
}

/** CPU-ms per image by process: of each the median over the laps. */
export function usualCpu(laps: Lap[]): Cpu {
  const keys = Object.keys(laps[0]?.cpu ?? {}) as (keyof Cpu)[];
  const of = (key: keyof Cpu) => median(laps.map(({ cpu, images }) => (cpu[key] ?? 0) / images));
  return { worker: 0, ...Object.fromEntries(keys.map((key) => [key, of(key)])) };
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

export function percentile(values: number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** A lap shorter than this is mostly clock ticks of 10 ms. */
export const leastLapCpuMs = 2000;
