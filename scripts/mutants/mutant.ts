// mutant.ts — what a mutant is: one promise taken out of the source, and the tests that are expected to miss it.

export type Mutant = {
  /** The promise that is gone, in a few words. */
  name: string;
  file: string;
  /** Stands in the file exactly once, or the mutant is none. */
  find: string;
  replace: string;
  tests: Expected[];
};

/** A test by its file and by words of its name. */
export type Expected = { file: string; name: string };

/** The source without the promise; throws a sentence when the passage is not there exactly once. */
export function mutate(source: string, { name, file, find, replace }: Mutant): string {
  const times = source.split(find).length - 1;
  if (times !== 1) throw new Error(`"${name}": its passage stands ${times} times in ${file}, and should once.`);
  return source.replace(find, () => replace);
}
