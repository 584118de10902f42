// contracts.ts — runs the commands of a contract as they are written, and compares what comes back.
//
// Notation: `#= STATUS [JSON]` answers the command above; more keys are allowed, none shown may be missing; arrays match
// from their start; "<uuid>" "<ts>" "<int>" "<str>" "<url>" "<path>" match by kind. `#h` is a response header (… =
// anything). `#> X=.key` keeps a value as $X. `#~ CMD` repeats CMD until the next `#=` holds, for up to 30 s.

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export type Expected = { status: number; json?: unknown; headers: [name: string, value: string][] };
export type Step = { command: string; patient: boolean; expected: Expected; keeps: [name: string, key: string][] };
export type Answer = { status: number; headers: Map<string, string>; body: string };

/** The ```sh blocks of a text, each a list of steps. */
export function blocksOf(markdown: string): Step[][] {
  return [...markdown.matchAll(/^```sh\n([^]*?)^```/gm)].map(([, block = '']) => stepsOf(block));
}

function stepsOf(block: string): Step[] {
  const steps: Step[] = [];
  // A command may go on in the next line, as READMEs write it.
  for (const line of block
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter(Boolean)) {
    const step = steps.at(-1);
    const [, mark, rest = ''] = /^#([=h>~]) ?(.*)$/.exec(line) ?? [];
    if (mark === undefined || mark === '~') {
      const command = mark === '~' ? rest : line;
      steps.push({ command, patient: mark === '~', expected: { status: 0, headers: [] }, keeps: [] });
    } else if (!step) throw new Error(`A contract begins with an answer: ${line}`);
    else if (mark === '=') {
      const [, status = '', json] = /^(\d{3})(?: (.+))?$/.exec(rest) ?? [];
      step.expected.status = Number(status);
      if (json) step.expected.json = JSON.parse(json);
    } else if (mark === 'h') step.expected.headers.push(pair(rest, ': '));
    else step.keeps.push(pair(rest, '=.'));
  }
  return steps;
}

function pair(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return [text.slice(0, at), text.slice(at + separator.length)];
}

export type Place = {
  folder: string;
  /** What stands in the contract, and what it is called in this run: ports are free ones here. */
  addresses: [written: string, real: string][];
  /** The command as it is sent: for the variant with other slashes. */
  spell?: (command: string) => string;
};

/** Runs the steps of one block in order; throws what differs. */
export async function runBlock(steps: Step[], place: Place): Promise<void> {
  const kept: Record<string, string> = {};
  for (const step of steps) {
    const deadline = performance.now() + 30_000;
    for (;;) {
      const answer = await runCommand(step.command, place, kept);
      const wrong = differences(answer, step.expected);
      if (wrong.length === 0) {
        for (const [name, key] of step.keeps)
          kept[name] = String((JSON.parse(answer.body) as Record<string, unknown>)[key]);
        break;
      }
      if (!step.patient || performance.now() > deadline)
        throw new Error(
          `${step.command}\n  ${wrong.join('\n  ')}\n  answer: ${answer.status} ${answer.body.slice(0, 500)}`,
        );
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function runCommand(command: string, place: Place, kept: Record<string, string>): Promise<Answer> {
  const spelt = (place.spell ?? String)(command);
  const script = place.addresses.reduce((text, [written, real]) => text.replaceAll(written, real), spelt);
  // The command stays as it is; a function of its name adds what makes the answer readable.
  const curl = 'curl() { command curl -sS -D headers -o body -w "%{http_code}" "$@"; }';
  const { stdout } = await run('bash', ['-c', `${curl}\n${script}`], {
    cwd: place.folder,
    env: { ...kept, PATH: process.env.PATH },
  });
  const lines = (await readFile(join(place.folder, 'headers'), 'latin1')).split('\r\n');
  const headers = lines.filter((line) => line.includes(': ')).map((line) => pair(line, ': '));
  const body = await readFile(join(place.folder, 'body'), 'utf8').catch(() => '');
  return {
    status: Number(stdout),
    headers: new Map(headers.map(([name, value]) => [name.toLowerCase(), value])),
    body,
  };
}

/** A path of ours with a slash more or less. */
export function otherSlash(command: string): string {
  return command.replaceAll(
    /(http:\/\/(?:localhost|127\.0\.0\.1):8000)([^\s'"?]*)/g,
    (_all, base: string, path: string) => (path.endsWith('/') ? base + path.slice(0, -1) : `${base}${path}/`),
  );
}

function differences(answer: Answer, expected: Expected): string[] {
  const wrong = answer.status === expected.status ? [] : [`status ${answer.status} instead of ${expected.status}`];
  for (const [name, value] of expected.headers) {
    const found = answer.headers.get(name) ?? '(absent)';
    const matches = value.endsWith('…') ? found.startsWith(value.slice(0, -1)) : found === value;
    if (!matches) wrong.push(`${name}: ${found} instead of ${value}`);
  }
  if (expected.json !== undefined) wrong.push(...unlike(parsed(answer.body), expected.json, ''));
  return wrong;
}

const kinds: Record<string, RegExp> = {
  '<uuid>': /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
  '<ts>': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/,
  '<int>': /^-?\d+$/,
  '<str>': /[^]+/,
  '<url>': /^https?:\/\/[^\s,]+$/,
  '<path>': /^\/[^\s]+$/,
};

/** What of `expected` is not in `found`, with its place. */
export function unlike(found: unknown, expected: unknown, place: string): string[] {
  const kind = typeof expected === 'string' ? kinds[expected] : undefined;
  if (kind)
    return found !== null && typeof found !== 'object' && kind.test(found as string)
      ? []
      : [`${place} is ${String(found)}, not ${String(expected)}`];
  if (typeof expected !== 'object' || expected === null)
    return found === expected ? [] : [`${place} is ${JSON.stringify(found)}, not ${JSON.stringify(expected)}`];
  if (typeof found !== 'object' || found === null) return [`${place} is ${JSON.stringify(found)}`];
  return Object.entries(expected).flatMap(([key, value]) =>
    unlike((found as Record<string, unknown>)[key], value, `${place}/${key}`),
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
