// peer-rows.ts — what the laps of Darkroom and a peer say, as rows.

import {
  compare,
  cpuPerImage,
  imagesPerSecond,
  leastLapCpuMs,
  median,
  totalCpu,
  type Comparison,
  type Lap,
} from './pairs.ts';
import type { Likeness } from './peer-guard.ts';
import { kinds, type PeerName } from './peer-kinds.ts';
import { digits, judge, printed, shown, type Row } from './table.ts';
import { targetOf } from '../targets.ts';
import type { Operation } from '../operations.ts';

type Pair = Record<'house' | 'tuned', Lap[]>;
type Facts = { reference: boolean; noise: number };

/** The rows of targets.ts that belong to this peer alone. */
export function idsOf(name: PeerName): string[] {
  const own = [`T8-${name}`, `T9-${name}`, `T10-${name}`, `T14-${name}`].filter((id) => id !== 'T10-rabbitmq');
  return name === 'celery' ? ['T6', 'T7', 'T7-bytes', ...own] : own;
}

/** T8 or T9: images per second of a catalog. */
export function catalogRow(id: string, name: PeerName, laps: Pair, likeness: Likeness, facts: Facts): Row {
  const speed = shown(compare(laps.house, laps.tuned, imagesPerSecond));
  const row = { id, ...speed, against: kinds[name].label, noise: facts.noise, note: noteOf(likeness) };
  return judge(row, { reference: facts.reference, refused: likeness.fault });
}

/** The same laps by CPU, which holds where wall time is noisy. A ratio above 1 is work that Darkroom does not need. */
export function cpuRow(id: string, name: PeerName, laps: Pair, noise: number): Row {
  const comparison = gain(compare(laps.house, laps.tuned, cpuPerImage));
  const what = `${targetOf(id).what}: CPU-ms per image, theirs ÷ ours`;
  const note = `ours ${splitOf(laps.house)}; theirs ${splitOf(laps.tuned)}`;
  return printed({ id: `${id}-cpu`, what, unit: 'CPU ratio', ...comparison, against: kinds[name].label, noise, note });
}

/**
 * T10: one catalog against the peer as seeded, in units of what it wins against the tuned one (and, where a single task
 * leaves all cores but one idle, of the cores): what remains is how well both use the machine.
 */
export function seededRow(
  name: PeerName,
  operation: Operation,
  laps: Pair & { seeded: Lap[] },
  { reference, noise, cores }: Facts & { cores: number },
): Row {
  const id = `T10-${name}`;
  const unit = name === 'celery' ? cores : 1;
  const plain = compare(laps.house, laps.seeded, imagesPerSecond);
  const { ratio, min, max } = compare(laps.tuned, laps.seeded, imagesPerSecond);
  const row = judge(
    {
      id,
      ...shown({ ...plain, ratio: ratio / unit, min: min / unit, max: max / unit }),
      against: `${kinds[name].label} as seeded`,
      noise,
      note: `${digits(plain.ratio)} times its images per second`,
    },
    { reference },
  );
  return { ...row, what: `${row.what}; ${operation.what}` };
}

/** T6, T7 and the bytes of T7, with the CPU of both efforts. */
export function recompressionRows(
  laps: Record<'fast' | 'balanced' | 'tuned', Lap[]>,
  guards: Record<'fast' | 'balanced', Likeness>,
  facts: Facts,
): Row[] {
  const pairOf = (effort: 'fast' | 'balanced'): Pair => ({ house: laps[effort], tuned: laps.tuned });
  const { bytes, fault } = guards.balanced;
  const share = bytes.ours / bytes.theirs;
  const megabytes = { ours: bytes.ours / 1e6, reference: bytes.theirs / 1e6 };
  return [
    catalogRow('T6', 'celery', pairOf('fast'), guards.fast, facts),
    cpuRow('T6', 'celery', pairOf('fast'), facts.noise),
    catalogRow('T7', 'celery', pairOf('balanced'), guards.balanced, facts),
    cpuRow('T7', 'celery', pairOf('balanced'), facts.noise),
    judge(
      {
        id: 'T7-bytes',
        ...megabytes,
        figure: share,
        min: share,
        max: share,
        n: 1,
        against: 'Celery',
        noise: facts.noise,
      },
      { reference: facts.reference, refused: fault },
    ),
  ];
}

/** T14: CPU of a job of a catalog, everything counted. No photo is in it, so any corpus will do. */
export function linesRow(name: PeerName, laps: Pair, noise: number): Row {
  return judge({ id: `T14-${name}`, ...ofJobs(name, laps, noise) }, { reference: true });
}

/** The same jobs, each sent as JSON: with us each is a batch of its own, with the event that tells of it. */
export function singleRow(name: PeerName, laps: Pair, noise: number): Row {
  const what = `${targetOf(`T14-${name}`).what}, each sent as JSON`;
  return printed({ id: `T14-${name}-single`, what, unit: 'CPU ratio', ...ofJobs(name, laps, noise) });
}

function ofJobs(name: PeerName, laps: Pair, noise: number) {
  const isShort = [...laps.house, ...laps.tuned].some(({ cpu }) => totalCpu(cpu) < leastLapCpuMs);
  const split = `CPU-ms per job: ours ${splitOf(laps.house)}; theirs ${splitOf(laps.tuned)}`;
  const note = isShort ? `${split}; laps under two CPU-seconds` : split;
  return { ...gain(compare(laps.house, laps.tuned, cpuPerImage)), against: kinds[name].label, noise, note };
}

/** The engine without a service: printed, so that a reader can tell what the service adds. */
export function engineRow({ key, what }: Operation, cpuMs: number): Row {
  const figures = { ours: cpuMs, figure: cpuMs, min: cpuMs, max: cpuMs, n: 1, noise: 0 };
  return printed({ id: `pillow-${key}`, what: `${what}, Pillow in one loop`, unit: 'CPU-ms', ...figures });
}

/** Theirs ÷ ours, where less is better. */
function gain(comparison: Comparison) {
  const { ratio, min, max, ...rest } = comparison;
  return shown({ ...rest, ratio: 1 / ratio, min: 1 / max, max: 1 / min });
}

function noteOf({ bytes, kept, psnr }: Likeness): string {
  const parts = [`${digits(bytes.ours / bytes.theirs)} of its bytes`];
  if (psnr) parts.push(`${psnr.ours.toFixed(2)} dB against ${psnr.theirs.toFixed(2)}`);
  if (kept > 0) parts.push(`${kept} sources kept`);
  return parts.join(', ');
}

/** CPU-ms per image by process, the median of the laps: "worker 12.3, postgres 0.8". */
function splitOf(laps: Lap[]): string {
  const names = Object.keys(laps[0]?.cpu ?? {}) as (keyof Lap['cpu'])[];
  return names
    .map((name) => `${name} ${digits(median(laps.map((lap) => (lap.cpu[name] ?? 0) / lap.images)))}`)
    .join(', ');
}
