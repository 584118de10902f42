// version.ts — which Darkroom this is, from package.json, and which others may work beside it.

import { readFileSync } from 'node:fs';

const { version: stated } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

export const version: string = stated;

/** Whether two releases are further apart than one minor version. What is no version is taken for near. */
export function isApart(one: string, other: string): boolean {
  const [left, right] = [one, other].map((text) => /^(\d+)\.(\d+)\./.exec(text)?.slice(1).map(Number));
  if (!left || !right) return false;
  return left[0] !== right[0] || Math.abs(Number(left[1]) - Number(right[1])) > 1;
}
