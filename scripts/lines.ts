// lines.ts — how long our files are, in the columns by which we compare codebases: `npm run lines`.

import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { table } from './pages.ts';

const root = join(import.meta.dirname, '..');
const folders = ['src', 'test', 'bench', 'chaos', 'scripts'];

type Size = { path: string; lines: number; comments: number };

function measure(folder: string): Size[] {
  return globSync(`${folder}/**/*.{ts,mjs}`, { cwd: root, exclude: ['**/node_modules/**'] }).map((path) => {
    const lines = readFileSync(join(root, path), 'utf8').trimEnd().split('\n');
    return { path, lines: lines.length, comments: lines.filter((line) => /^\s*(\/\/|\/?\*)/.test(line)).length };
  });
}

function row(folder: string): string[] {
  const sizes = measure(folder).toSorted((a, b) => a.lines - b.lines);
  const total = sizes.reduce((sum, each) => sum + each.lines, 0);
  const comments = sizes.reduce((sum, each) => sum + each.comments, 0);
  const at = (part: number) => sizes[Math.min(sizes.length - 1, Math.floor(sizes.length * part))];
  const longest = sizes.at(-1);
  return [
    folder,
    String(sizes.length),
    String(total),
    String(at(0.5)?.lines ?? 0),
    String(at(0.9)?.lines ?? 0),
    longest ? `${longest.lines} ${longest.path}` : '',
    `${total === 0 ? 0 : Math.round((100 * comments) / total)} %`,
  ];
}

console.log(table(['folder', 'files', 'lines', 'median', 'p90', 'longest', 'comments'], folders.map(row)));
