// results.ts — the lines of all runs, what is missing of a campaign, and the table of docs/RELIABILITY.md made of them.

import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { table } from '../scripts/pages.ts';
import { wrongs, type Wrong } from './findings.ts';
import type { Result } from './once.ts';
import { profiles } from './servers.ts';

const path = join(import.meta.dirname, 'results.jsonl');
const page = join(import.meta.dirname, '../docs/RELIABILITY.md');

export async function appendResult(result: Result): Promise<void> {
  await appendFile(path, `${JSON.stringify(result)}\n`);
}

async function readResults(): Promise<Result[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Result);
}

/** Those that have no line yet. */
export async function missingRuns<Run extends { profile: string; seed: number }>(runs: Run[]): Promise<Run[]> {
  const done = new Set((await readResults()).map(({ profile, seed }) => `${profile} ${seed}`));
  return runs.filter(({ profile, seed }) => !done.has(`${profile} ${seed}`));
}

/** Puts the table of the results between the marks. */
export async function writeReport(): Promise<void> {
  const text = await readFile(page, 'utf8');
  await writeFile(page, withTable(text, reportOf(await readResults())));
}

const marks = { begin: '<!-- chaos -->', end: '<!-- /chaos -->' };

export function withTable(text: string, report: string): string {
  const [begin, end] = [text.indexOf(marks.begin), text.indexOf(marks.end)];
  if (begin < 0 || end < begin)
    throw new Error(`docs/RELIABILITY.md has no place between ${marks.begin} and ${marks.end}.`);
  return `${text.slice(0, begin + marks.begin.length)}\n${report}\n${text.slice(end)}`;
}

const sum = (numbers: number[]): number => numbers.reduce((total, each) => total + each, 0);

/** A row a profile, and one for all. */
export function reportOf(results: Result[]): string {
  const groups = [...profiles.map((profile) => results.filter((each) => each.profile === profile)), results];
  const rows = groups
    .filter((group) => group.length > 0)
    .map((group, index, all) => {
      const wrong = (name: Wrong) => String(sum(group.map((each) => each[name])));
      const others: Wrong[] = wrongs.filter((name) => !['lost', 'stuck', 'duplicated', 'torn'].includes(name));
      return [
        index === all.length - 1 ? 'all' : (group[0]?.profile ?? ''),
        String(group.length),
        sum(group.map(({ images }) => images)).toLocaleString('en'),
        String(sum(group.map(({ faults }) => sum(Object.values(faults))))),
        ...(['lost', 'stuck', 'duplicated', 'torn'] as const).map(wrong),
        String(sum(others.map((name) => Number(wrong(name))))),
        String(sum(group.map(({ extraRuns }) => extraRuns))),
        String(sum(group.map(({ cuts }) => cuts))),
      ];
    });
  const header = [
    'profile',
    'runs',
    'images acknowledged',
    'faults',
    'lost',
    'stuck',
    'doubled',
    'torn',
    'any other fault',
    'starts given back',
    'followers cut off',
  ];
  return table(header, rows);
}
