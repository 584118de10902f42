// pages.ts — the generated pages of the documentation, as text.

import type { Entry } from '../src/problem.ts';
import type { OperationSchema } from '../src/imaging/schema.ts';
import type { Setting } from '../src/settings/list.ts';

/** A Markdown table; bars inside a cell would end it. */
export function table(header: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}

const note = 'This page is written by `npm run docs`; change the code it is made from instead.';

export function settingsPage(settings: Setting<unknown>[]): string {
  const rows = settings.map((each) => [
    `\`${each.name}\``,
    each.initial === '' ? 'unset' : `\`${each.initial}\``,
    [each.sentence, ...otherNames(each), ...(each.secret ? [`A secret: also \`${each.name}_FILE\`.`] : [])].join(' '),
  ]);
  return `# Settings

${note} Source: \`src/settings/list.ts\`.

A flag wins over the environment, the environment over \`.env\`, that over the default. Sizes are written \`25mb\` (counted
by 1024), pixels \`50mp\`, times \`500ms 30s 5m 12h 7d\`. A mistake in any of them stops the start, and all mistakes are told
at once; so does an unknown name that begins with \`DARKROOM_\`. \`darkroom config check\` shows what is in force.

${table(['Name', 'Default', 'Meaning'], rows)}
`;
}

const otherNames = (each: Setting<unknown>) =>
  each.aliases?.length ? [`Also understood: ${each.aliases.map((name) => `\`${name}\``).join(', ')}.`] : [];

export function environmentExample(settings: Setting<unknown>[]): string {
  const lines = settings.map((each) => `# ${each.sentence}\n#${each.name}=${each.initial}\n`);
  return `# Copy this file to .env and take the # off what you change. Written by \`npm run docs\`.\n\n${lines.join('\n')}`;
}

export function errorsPage(catalogue: Record<string, Entry>): string {
  const rows = Object.entries(catalogue).map(([code, entry]) => [
    `\`${code}\``,
    String(entry.status),
    entry.title + (entry.ofImage ? ` Of an image: ${entry.ofImage}` : ''),
    entry.remedy ?? '',
    entry.retryable ? 'yes' : 'no',
  ]);
  return `# Errors

${note} Source: \`src/problem.ts\`.

Every error carries one of these codes, whichever API it is asked through; a code keeps its meaning for ever, sentences may
change. \`Status\` is that of the answer to a request; an image that failed shows the code alone. \`Again\` tells whether the
same thing may succeed later unchanged; images with such a code are tried again without being asked.

${table(
  ['Code', 'Status', 'Sentence', 'What to do', 'Again'],
  rows.toSorted((a, b) => (a[0] ?? '').localeCompare(b[0] ?? '')),
)}
`;
}

export function operationsPage(operations: OperationSchema[]): string {
  return `# Operations

${note} Source: \`src/imaging/operations/\`.

A pipeline is a list of operations with \`/\` between them: \`fit:800x600/webp:75\`. Arguments follow a colon, the first ones by
position, any of them as \`key=value\`: \`pad:800x600:bg=transparent\`. Names are written in any case, with \`-\` or \`_\`. In JSON
a pipeline is that text, or an array of such texts and of objects such as \`{"op": "fit", "width": 800}\`. Operations work in
the order in which they are written; those of kind \`output\` say how the result is written and may stand anywhere.

${table(['Operation', 'Kind', 'Does', 'Examples'], operations.map(operationRow))}

## Arguments

${operations
  .filter((each) => each.args.length > 0)
  .map(argumentsSection)
  .join('\n\n')}
`;
}

const operationRow = ({ name, aliases, kind, summary, examples }: OperationSchema) => [
  `\`${name}\``,
  kind,
  aliases.length > 0 ? `${summary} Also called ${aliases.map((alias) => `\`${alias}\``).join(', ')}.` : summary,
  examples.map((example) => `\`${example}\``).join(', '),
];

function argumentsSection({ name, args }: OperationSchema): string {
  const rows = args.map((each) => [
    `\`${each.name}\``,
    each.allowed,
    each.required ? 'required' : each.default === undefined ? '' : `\`${JSON.stringify(each.default)}\``,
  ]);
  return `### ${name}\n\n${table(['Argument', 'Takes', 'Default'], rows)}`;
}

/** The README with its table of operations. */
export function readmeWithOperations(readme: string, operations: OperationSchema[]): string {
  const rows = operations.map((each) => [`\`${each.examples.at(-1) ?? each.name}\``, each.summary]);
  return filledIn(readme, 'operations', table(['For example', 'Does'], rows));
}

/** ARCHITECTURE.md with its table of who may import whom. */
export function architectureWithImports(page: string, rooms: Record<string, readonly string[]>): string {
  const rows = Object.entries(rooms).map(([room, places]) => [
    `\`${room}\``,
    places.map((place) => (place === '*' ? 'everything' : `\`${place.replace(/^src\//, '')}\``)).join(', ') ||
      'nothing',
  ]);
  return filledIn(page, 'imports', table(['Room', 'May import'], rows));
}

/** The page with `text` in place of what stands between the comments <!-- name --> and <!-- /name -->. */
function filledIn(page: string, name: string, text: string): string {
  const [open, close] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [start, end] = [page.indexOf(open), page.indexOf(close)];
  if (start < 0 || end < start) throw new Error(`The page must hold ${open} and ${close}.`);
  return `${page.slice(0, start)}${open}\n${text}\n${page.slice(end)}`;
}
