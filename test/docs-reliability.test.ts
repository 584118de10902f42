// docs-reliability.test.ts — every fault of the table in docs/RELIABILITY.md names a test that is there.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const faults = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 27, 49, 51, 56, 57, 60];

const rows = readFileSync(join(root, 'docs/RELIABILITY.md'), 'utf8')
  .split('\n')
  .filter((line) => /^\| \d+ +\|/.test(line))
  .map((line) => line.split('|').map((cell) => cell.trim()));

test('every fault has its row, and every row names files that are there', () => {
  expect([...new Set(rows.map(([, number]) => Number(number)))]).toEqual(faults);
  const missing = rows.flatMap((cells) => {
    const files = cells.join('|').match(/test\/[\w./-]+\.test\.ts/g) ?? [];
    const isSame = cells.at(-2)?.includes('the same') ?? false;
    if (files.length === 0 && !isSame) return [`fault ${cells[1]} names no test`];
    return files.filter((file) => !existsSync(join(root, file)));
  });
  expect(missing).toEqual([]);
});
