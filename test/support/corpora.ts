// corpora.ts — finds the shared hostile inputs, which are never copied into the project.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = new URL('../../../shared/corpora/', import.meta.url);

/** False where the shared folder is absent; says so once, and is an error in CI. */
export const hasCorpora = existsSync(fileURLToPath(folder));

if (!hasCorpora) {
  if (process.env.CI) throw new Error('../shared/corpora is absent: its tests cannot run');
  console.warn('SKIPPED: tests on ../shared/corpora, because that folder is absent.');
}

export const corpusFile = (path: string): string => fileURLToPath(new URL(path, folder));

/** The lines of a file of the corpora that are not empty; none where the folder is absent. */
export function corpusLines(path: string): string[] {
  if (!hasCorpora) return [];
  return readFileSync(corpusFile(path), 'utf8').split('\n').filter(Boolean);
}

/** Every file of a folder and what lies below it. */
export const filesOfCorpus = (name: string): { name: string; bytes: Buffer }[] =>
  readdirSync(corpusFile(name), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((file) => ({ name: file.name, bytes: readFileSync(`${file.parentPath}/${file.name}`) }));

/** Strings of both collections; of the long lists every `nth`. */
export function stringsOfCorpora(nth: number): string[] {
  const naughty = JSON.parse(readFileSync(corpusFile('strings/blns/blns.json'), 'utf8')) as string[];
  const attacks = readdirSync(corpusFile('strings/fuzzdb-attack')).flatMap((name) =>
    corpusLines(`strings/fuzzdb-attack/${name}`).filter((_, at, all) => all.length < 100 || at % nth === 0),
  );
  return [...naughty, ...attacks];
}
