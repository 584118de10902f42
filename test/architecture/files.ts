// files.ts — what every file owes its reader: a promise at the top, a name that says something, an end within reach.

import { basename, extname } from 'node:path';
import type { Rule } from './source.ts';

const longest = 300;

export const filesAreShort: Rule = ({ text }) => {
  const lines = text.trimEnd().split('\n').length;
  return lines > longest
    ? [`has ${lines} lines; at most ${longest}. Find its second subject and give that a name.`]
    : [];
};

/** The first line is `// name.ts — what this file promises`, so that a listing of first lines is a map. */
export const filesOpenWithTheirPromise: Rule = ({ path, text }) => {
  const first = text.split('\n').find((line) => !line.startsWith('#!')) ?? '';
  // Markup and style sheets have comments of their own.
  const promise = first.replace(/^(<!--|\/\*) /, '// ');
  return promise.startsWith(`// ${basename(path)} — `) && promise.length > basename(path).length + 10
    ? []
    : [`must open with "// ${basename(path)} — <what it promises>".`];
};

const emptyNames = [
  'utils',
  'util',
  'helpers',
  'helper',
  'common',
  'manager',
  'service',
  'handler',
  'base',
  'impl',
  'types',
  'misc',
];

/** A name that fits everything gathers everything. */
export const namesSaySomething: Rule = ({ path }) =>
  path
    .split('/')
    .map((part) => basename(part, extname(part)).replace(/\.test$/, ''))
    .filter((name) => emptyNames.includes(name.toLowerCase()))
    .map((name) => `"${name}" is a name for anything; use a noun or a verb that says what is inside.`);

/** A TODO that nobody is responsible for is a wish. */
export const todosNameTheirIssue: Rule = ({ text }) =>
  text
    .split('\n')
    .filter((line) => /\/\/.*\b(TODO|FIXME|XXX)\b/.test(line) && !/#\d+/.test(line))
    .map((line) => `"${line.trim()}" names no issue.`);

/** One finding may be silenced, with a reason behind it; never a whole file. */
export const silencedFindingsCarryAReason: Rule = ({ text }) =>
  text
    .split('\n')
    .filter((line) =>
      /(\/\/|\/\*)\s*(oxlint-disable|eslint-disable|@ts-ignore|@ts-nocheck|@ts-expect-error)/.test(line),
    )
    .filter((line) => !/(oxlint-disable-(next-)?line|@ts-expect-error)\b.*\s--\s+\w/.test(line))
    .map(
      (line) =>
        `"${line.trim()}" silences without a reason, or too much; write "oxlint-disable-next-line <rule> -- <reason>".`,
    );

const adrSections = ['Situation', 'Decision', 'Why not the others', 'What would change our mind'];

/** A decision fits on one page and tells what would overturn it. */
export const decisionsAreShort: Rule = ({ path, text }) => {
  const lines = text.trimEnd().split('\n').length;
  const headings = [...text.matchAll(/^## (.+)$/gm)].map((match) => match[1] ?? '');
  return [
    ...(lines > 40 ? [`has ${lines} lines; a decision has at most 40.`] : []),
    ...(/\/\d{4}-[a-z0-9-]+\.md$/.test(path) ? [] : ['must be called <four digits>-<words>.md.']),
    ...(headings.join() === adrSections.join() ? [] : [`must have the sections ${adrSections.join(', ')}.`]),
  ];
};
