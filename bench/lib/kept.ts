// kept.ts — what is kept of a run: one JSON line a row, written as soon as its family has been measured.
//
// bench/results/*.jsonl stays on the machine that measured. The trend gate reads the lines back: on one CPU model T5 must
// not creep up, whatever the absolute gate says. RESULTS.md is made of them, too, so that it can be made again.

import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, release } from 'node:os';
import sharp from 'sharp';
import { describeCorpus, type Corpus } from '../corpus.ts';
import type { Family } from '../targets.ts';
import { median } from './pairs.ts';
import { postgresVersion } from './postgres.ts';
import { digits, type Row } from './table.ts';

export type Scope = 'quick' | 'full' | 'one';
export type Facts = {
  at: string;
  /** Whether the run was a quick one, a full one, or one of a single family. */
  scope: Scope;
  commit: string;
  version: string;
  cpu: string;
  cores: number;
  system: string;
  node: string;
  sharp: string;
  postgres: string;
  corpus: string;
  pictures: string;
};
export type Kept = Facts & Row & { family: Family; row: string; ratio: number };

const folder = new URL('../results/', import.meta.url);
const manifest = new URL('../../package.json', import.meta.url);

export function gatherFacts(corpus: Corpus, scope: Scope): Facts {
  return {
    at: new Date().toISOString(),
    scope,
    commit: commit(),
    version: (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    system: `Linux ${release()}`,
    node: process.versions.node,
    sharp: `${sharp.versions.sharp} / libvips ${sharp.versions.vips}`,
    postgres: postgresVersion(),
    corpus: corpus.kind === 'photos' ? corpus.digest.slice(0, 8) : `${corpus.kind} ${corpus.digest.slice(0, 8)}`,
    pictures: describeCorpus(corpus),
  };
}

function commit(): string {
  try {
    const text = (...args: string[]) => execFileSync('git', args, { encoding: 'utf8', stdio: 'pipe' }).trim();
    return text('rev-parse', '--short', 'HEAD') + (text('status', '--porcelain', '--', 'src') ? '+changes' : '');
  } catch {
    return 'unknown';
  }
}

/** Appends the rows of one family, also those that were skipped. */
export function keepRows(facts: Facts, family: Family, rows: Row[]): void {
  mkdirSync(folder, { recursive: true });
  const lines = rows.map((row) => JSON.stringify({ ...facts, family, ...row, row: row.id, ratio: row.figure }));
  if (lines.length > 0) appendFileSync(new URL(`${facts.at.slice(0, 10)}.jsonl`, folder), lines.join('\n') + '\n');
}

export function readKept(): Kept[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.jsonl'))
    .toSorted()
    .flatMap((name) => readFileSync(new URL(name, folder), 'utf8').trimEnd().split('\n'))
    .map((line) => JSON.parse(line, (_, value: unknown) => value ?? Number.NaN) as Kept);
}

/**
 * What RESULTS.md shows: of the commit that was measured last in full, the newest rows of each family. A family may have
 * been measured again without the others.
 */
export function lastFull(kept: Kept[]): Kept[] {
  // Somebody's own pictures are for their eyes.
  const full = kept.filter(({ scope, corpus }) => scope === 'full' && !corpus.startsWith('folder'));
  const of = full.filter((each) => each.commit === full.at(-1)?.commit && each.corpus === full.at(-1)?.corpus);
  return [...Map.groupBy(of, ({ family }) => family).values()].flatMap((rows) =>
    rows.filter(({ at }) => at === rows.at(-1)?.at),
  );
}

/** Where strangers took more than this, even CPU per image is no standard for later runs. */
const loudest = 0.5;

/** Sentences about T5 rows that cost over 3 % more than the median of the last five runs on this CPU model. */
export function trendFaults(facts: Facts, rows: Row[], kept: Kept[]): string[] {
  return rows.flatMap((row) => {
    if (!/^T5[a-z]$/.test(row.id) || !['aim', 'gate', 'below'].includes(row.verdict)) return [];
    const alike = kept.filter(
      (each) =>
        each.row === row.id && each.engine === row.engine && each.cpu === facts.cpu && each.corpus === facts.corpus,
    );
    const measured = (each: Kept) => each.verdict !== 'refused' && each.noise <= loudest;
    const before = alike.filter((each) => each.at !== facts.at && measured(each)).slice(-5);
    const usual = median(before.map((each) => each.ratio));
    if (before.length < 5 || row.figure <= usual * 1.03) return [];
    return [`${row.id} is ${digits(row.figure)}, more than 3 % above the last five runs (${digits(usual)})`];
  });
}
