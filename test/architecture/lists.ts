// lists.ts — completeness: what exists in the code is documented, tested and named where a reader looks for it.

import { importsOf, targetOf, type Source } from './source.ts';
import { testNames } from './tests.ts';

const escape = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** The names that `text` does not hold between backquotes, quotes, or as `#NAME=`. */
export function missingFrom(text: string, names: readonly string[]): string[] {
  return names.filter((name) => !new RegExp(`[\`'#]${escape(name)}[\`'=:/]`).test(text));
}

/** The things that an index.ts lists: what it imports from its own folder, less the shared ones. */
export function listed(index: Source, shared: readonly string[]): string[] {
  const targets = importsOf(index).map((each) => targetOf(index.path, each.specifier) ?? '');
  return thingsBeside(index.path, targets, shared);
}

/** The things among `paths` that lie beside an index.ts, less the shared ones; a folder is one thing. */
export function thingsBeside(index: string, paths: readonly string[], shared: readonly string[]): string[] {
  const folder = index.replace(/index\.ts$/, '');
  const names = paths
    .filter((path) => path.startsWith(folder) && path !== index)
    .map((path) => path.slice(folder.length).replace(/(\.ts|\/.*)$/, ''));
  return [...new Set(names)].filter((name) => !shared.includes(name));
}

/** A line of ARCHITECTURE.md under an invariant: "   - `test/x.test.ts` — hands out again what a dead worker held". */
export type Witness = { invariant: number; file: string; name: string };

export function witnesses(architecture: string): Witness[] {
  const section = /^## Invariants$([\s\S]*?)^## /m.exec(architecture)?.[1] ?? '';
  return section.split(/^(?=\d+\. )/m).flatMap((text) => {
    const invariant = Number(/^\d+/.exec(text)?.[0] ?? 0);
    const lines = [...text.matchAll(/`(test\/[^`]+\.test\.ts)` — (.+)$/gm)];
    return lines.map(([, file = '', name = '']) => ({ invariant, file, name: name.trim() }));
  });
}

/** What is wrong with the witnesses of invariants 1 to `count`: none at all, no such file, no such test in it. */
export function witnessFaults(found: Witness[], count: number, tests: readonly Source[]): string[] {
  const faults: string[] = [];
  for (let invariant = 1; invariant <= count; invariant++)
    if (!found.some((each) => each.invariant === invariant)) faults.push(`Invariant ${invariant} names no test.`);
  for (const { invariant, file, name } of found) {
    const source = tests.find((each) => each.path === file);
    if (!source) faults.push(`Invariant ${invariant} names ${file}, which does not exist.`);
    else if (!isTest(source, name)) faults.push(`Invariant ${invariant}: ${file} has no test "${name}".`);
  }
  return faults;
}

/** A test of that name, or a row of a table of tests that has it. */
function isTest(source: Source, name: string): boolean {
  return (
    testNames(source).some((each) => each === name || each.endsWith(` > ${name}`)) ||
    source.text.includes(`name: '${name}'`)
  );
}
