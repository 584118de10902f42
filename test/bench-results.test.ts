// bench-results.test.ts — what is kept of a run, what RESULTS.md makes of it, and when the trend of T5 fails a run.

import { describe, expect, test } from 'vitest';
import { families, full, minutes, programs, quick } from '../bench/families.ts';
import { lastFull, trendFaults, type Facts, type Kept } from '../bench/lib/kept.ts';
import { renderResults } from '../bench/lib/results.ts';
import { judge, printed, skipped, type Row } from '../bench/lib/table.ts';
import { reasonOf } from '../bench/reasons.ts';
import { slopeOf } from '../bench/soak.ts';
import { targets } from '../bench/targets.ts';

const facts: Facts = {
  at: '2026-11-20T10:00:00.000Z',
  scope: 'full',
  commit: '1a2b3c4',
  version: '0.1.0',
  cpu: 'a CPU',
  cores: 2,
  system: 'Linux',
  node: '24',
  sharp: '0.35',
  postgres: '15.1',
  corpus: '9a466db7',
  pictures: '46 pictures',
};
const measured = { ours: 1, figure: 1, min: 1, max: 1, n: 3, noise: 0 };
const t5 = (figure: number): Row => judge({ id: 'T5a', ...measured, figure }, { reference: true });
const keep = (row: Row, more: Partial<Kept> = {}): Kept => ({
  ...facts,
  family: 'e2e',
  ...row,
  row: row.id,
  ratio: row.figure,
  ...more,
});

describe('the families', () => {
  test('every row belongs to a family that is built, and every family makes rows', async () => {
    expect(new Set(targets.map(({ family }) => family))).toEqual(new Set(families));
    for (const load of Object.values(programs)) expect((await load()).rows).toBeTypeOf('function');
  });

  test('a full run measures everything, a quick one no more than three minutes', () => {
    expect(new Set([...full, 'limit'])).toEqual(new Set(families));
    expect(full.reduce((sum, family) => sum + minutes[family][1], 0)).toBeLessThan(45.05);
    expect(quick.reduce((sum, family) => sum + minutes[family][0], 0)).toBeLessThan(3.05);
  });

  test('every row has a sentence that says why it may lose', () => {
    const silent = targets.filter(({ id }) => reasonOf({ id, verdict: 'below' }) === '').map(({ id }) => id);
    expect(silent).toEqual([]);
  });
});

describe('the trend', () => {
  const before = [1.01, 1.02, 1.03, 1.02, 1.02].map((figure, day) => keep(t5(figure), { at: `2026-11-1${day}` }));

  test('T5 may not creep up, though it stays below its gate', () => {
    expect(trendFaults(facts, [t5(1.04)], before)).toEqual([]);
    expect(trendFaults(facts, [t5(1.06)], before)).toEqual([
      'T5a is 1.06, more than 3 % above the last five runs (1.02)',
    ]);
    expect(trendFaults({ ...facts, cpu: 'another CPU' }, [t5(1.06)], before)).toEqual([]);
  });

  test('runs on a machine that was full of strangers are no standard', () => {
    const loud = before.map((each) => ({ ...each, noise: 0.8 }));
    expect(trendFaults(facts, [t5(1.06)], loud)).toEqual([]);
  });
});

describe('RESULTS.md', () => {
  test('shows of the last commit measured in full the newest rows of each family', () => {
    const kept = [
      keep(t5(1.3), { commit: 'older' }),
      keep(t5(1.2)),
      keep(printed({ id: 'tiny', what: 'x', unit: 'ms', ...measured }), { family: 'tiny' }),
      keep(t5(1.05), { at: '2026-11-20T12:00:00.000Z' }),
      keep(t5(1.9), { at: '2026-11-20T13:00:00.000Z', scope: 'one' }),
    ];
    expect(lastFull(kept).map(({ id, figure }) => [id, figure])).toEqual([
      ['T5a', 1.05],
      ['tiny', 1],
    ]);
  });

  test('names what lost and why, what was skipped, and where the CPU went', () => {
    const cpuMs = { worker: 4, children: 60, postgres: 1 };
    const rows = [{ ...t5(1.2), cpuMs }, skipped('T14-bullmq', 'redis-server not found')];
    const text = renderResults(rows.map((row) => keep(row)));
    expect(text).toContain('2 rows: 1 below gate, 1 skipped');
    expect(text).toContain('**T5a**, (a) balanced, CPU per image: 1.20 CPU ÷ L0, below gate. The CPU of the service');
    expect(text).toContain('skipped: redis-server not found');
    expect(text).toMatch(/\(a\) balanced, CPU per image \|\s+\|\s+4\.00 \|\s+60\.0 \|\s+1\.00 \|\s+\|\s+65\.0 \|/);
  });

  test('a race that is lost is named although it is at its aim', () => {
    const lost = judge({ id: 'T7', ...measured, figure: 0.96 }, { reference: true });
    const won = judge({ id: 'T6', ...measured, figure: 1.3 }, { reference: true });
    const losses = renderResults([lost, won].map((row) => keep(row))).split('## ')[1];
    expect(losses).toContain('**T7**');
    expect(losses).not.toContain('**T6**');
  });
});

test('a line through memory finds its slope', () => {
  const looks = [0, 1, 2, 3].map((minute) => ({ atMs: minute * 60_000, mb: 500 + 2 * minute }));
  expect(slopeOf(looks) * 60_000).toBeCloseTo(2);
});
