// table.ts — a measured row, its verdict, and how it is printed.

import { targets, targetOf, type Target } from '../targets.ts';
import { noiseLimit } from './noise.ts';
import { median, type Comparison, type Cpu } from './pairs.ts';

export type Verdict = 'aim' | 'gate' | 'below' | 'noisy' | 'printed' | 'skipped' | 'refused';

export type Row = {
  /** A row of targets.ts, or a name of our own for what is only printed. */
  id: string;
  what: string;
  unit: string;
  ours: number;
  reference?: number;
  /** What is compared with gate and aim: a ratio, or the figure itself where there is nothing to divide by. */
  figure: number;
  min: number;
  max: number;
  n: number;
  noise: number;
  verdict: Verdict;
  against?: string;
  /** Of the database, where a row exists once for each. */
  engine?: string;
  /** One sentence: why it was skipped, refused by the quality guard, or what a reader should know. */
  note?: string;
  /** CPU-ms per image, by process. */
  cpuMs?: Cpu;
  pssMb?: number;
  /** What came out, beside the reference: results equal to the byte, sources kept, bytes in all. */
  quality?: { of: string; identical: number; kept: number; bytes: number };
};

export type Measured = Omit<Row, 'what' | 'unit' | 'verdict'>;
type Judging = { reference: boolean; refused?: string | undefined };

/** Makes a row of a comparison; `reference` false (another corpus than the photos) is printed without verdict. */
export function judge(measured: Measured, { reference, refused }: Judging): Row {
  const target = targetOf(measured.id);
  const what = measured.engine ? `${target.what}; ${measured.engine}` : target.what;
  const row = { what, unit: target.unit, ...measured };
  if (refused) return { ...row, verdict: 'refused', note: `quality guard: ${refused}` };
  if (!reference) return { ...row, verdict: 'printed' };
  return { ...row, verdict: verdictOf(target, measured.figure, measured.noise) };
}

export function verdictOf(target: Target, figure: number, noise: number): Verdict {
  if (!Number.isFinite(figure)) return 'below';
  const quiet = noise <= noiseLimit || target.kind === 'cpu' || target.kind === 'count';
  if (!quiet) return 'noisy';
  const reaches = (bound: number) => (target.better === 'higher' ? figure >= bound : figure <= bound);
  return reaches(target.aim) ? 'aim' : reaches(target.gate) ? 'gate' : 'below';
}

/** A row without a gate: limits, other corpora, single settings. */
export function printed(row: Omit<Row, 'verdict'>): Row {
  return { ...row, verdict: 'printed' };
}

export function skipped(id: string, note: string): Row {
  return { ...nothing(id), verdict: 'skipped', note };
}

function nothing(id: string): Omit<Row, 'verdict'> {
  const { what, unit } = targetOf(id);
  return { id, what, unit, ours: Number.NaN, figure: Number.NaN, min: Number.NaN, max: Number.NaN, n: 0, noise: 0 };
}

/** The fields of a comparison that a row shows. */
export function shown({ ours, reference, ratio, min, max, n }: Comparison) {
  return { ours, reference, figure: ratio, min, max, n };
}

/** The fields of a figure that stands alone, from its values by round. */
export function spread(values: number[]) {
  const figure = median(values);
  return { ours: figure, figure, min: Math.min(...values), max: Math.max(...values), n: values.length };
}

/** Markdown, as RESULTS.md has it: readable in a terminal too. */
export function table(rows: Row[]): string {
  const lines = rows.map((row) => {
    const target = targets.find((each) => each.id === row.id);
    const figure = row.n > 1 ? `${digits(row.figure)} (${digits(row.min)}-${digits(row.max)})` : digits(row.figure);
    const reference =
      row.reference === undefined ? (row.against ?? '') : `${row.against ?? ''} ${digits(row.reference)}`;
    const bounds = [target?.gate, target?.aim].map((bound) => (bound === undefined ? '' : String(bound)));
    const verdict = row.note ? `${row.verdict}: ${row.note}` : row.verdict;
    return [row.id, row.what, row.unit, digits(row.ours), reference, figure, String(row.n || ''), ...bounds, verdict];
  });
  const head = ['#', 'what', 'unit', 'ours', 'against', 'figure median (min-max)', 'n', 'gate', 'aim', 'verdict'];
  return align([head, ...lines], new Set([3, 4, 5, 6, 7, 8]));
}

/** The table of README.md: every row with gate and aim. */
export function targetTable(): string {
  const lines = targets.map((each) => [
    each.id,
    each.family,
    each.what,
    each.unit,
    each.better === 'higher' ? 'at least' : 'at most',
    String(each.gate),
    String(each.aim),
  ]);
  return align([['#', 'command', 'what', 'unit', 'is', 'gate', 'aim'], ...lines], new Set([5, 6]));
}

/** A table in Markdown; the columns `toTheRight` are figures. */
export function align(rows: string[][], toTheRight: Set<number>): string {
  const widths = rows[0]?.map((_, column) => Math.max(3, ...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const pad = (text: string, column: number) =>
    toTheRight.has(column) ? text.padStart(widths[column] ?? 0) : text.padEnd(widths[column] ?? 0);
  const line = (row: string[]) => `| ${row.map(pad).join(' | ')} |`;
  const rule = `| ${widths.map((width, column) => (toTheRight.has(column) ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width))).join(' | ')} |`;
  const [head = [], ...body] = rows;
  return [line(head), rule, ...body.map(line)].join('\n');
}

/** Three significant digits, or whole numbers from a hundred on. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (Math.abs(value) >= 100) return String(Math.round(value));
  return value.toFixed(Math.abs(value) >= 10 ? 1 : Math.abs(value) >= 0.1 ? 2 : 3);
}
