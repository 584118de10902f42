// grammar.ts — reads pipelines, and writes recipes.
//
// Text and JSON become one canonical recipe `{ops, out}`: no alias, every default filled, colours and places in one
// spelling, settings that change pixels resolved. Equal recipes have equal hashes. All faults are told at once. Which
// operations exist, and what they take, stands in operations/ alone.

import { createHash } from 'node:crypto';
import { problem, type Fault } from '../problem.ts';
import { Unfit, type Limits } from './arguments.ts';
import { type Call, cutPipeline, maxOperations, spelled } from './calls.ts';
import type { EffortName } from './efforts.ts';
import type { Output, Recipe, Step } from './imaging.ts';
import { nearest } from './nearest.ts';
import { operations } from './operations/index.ts';
import type { Operation } from './operations/operation.ts';
import { foldOutput, type OutputCall, unfoldOutput } from './output.ts';
import { tooLarge } from './boxes.ts';
import { operationSchema, type OperationSchema } from './schema.ts';

/** Part of every result's identity. Raised by hand when the pixels of an unchanged recipe change. */
export const ENGINE = 'darkroom-1';

export type PipelineOptions = Limits & {
  effort: EffortName;
  /** Pipelines by the name of their preset. */
  presets?: ReadonlyMap<string, string>;
};
export type PipelineFault = Fault & { index: number; op: string; arg?: string; suggestion?: string };

type Named = { operation: Operation; shorthand?: string };
const names = new Map<string, Named>();
for (const operation of operations) {
  for (const name of [operation.name, ...(operation.aliases ?? [])]) names.set(name, { operation });
  for (const [name, shorthand] of Object.entries(operation.shorthands ?? {})) names.set(name, { operation, shorthand });
}
const encoders = new Map(
  operations.flatMap((each) => (each.kind === 'output' && each.encoder ? [[each.name, each] as const] : [])),
);

/**
 * Reads a pipeline: text, or a list of texts and objects. Throws `invalid_pipeline` whose `facts.faults` are
 * {@link PipelineFault}s with `loc` beginning at 'pipeline', or `output_too_large` for exact boxes beyond the limits.
 */
export function parsePipeline(input: unknown, options: PipelineOptions): Recipe {
  const { calls, faults: cutFaults } = cutPipeline(input);
  const isList = Array.isArray(input);
  const faults: PipelineFault[] = cutFaults.map((each) => pipelineFault(each, each.text, each.reason, isList));
  const ops: Step[] = [];
  const outputs: OutputCall[] = [];
  const unknown: string[] = [];
  for (const call of calls) {
    const tell: Tell = (reason, facts) => faults.push({ ...pipelineFault(call, call.text, reason, isList), ...facts });
    const read = readCall(call, options, tell);
    const preset = read && presetOf(read);
    for (const each of preset === undefined ? [read] : callsOfPreset(preset, { options, tell, unknown })) {
      if (each?.operation.kind === 'output') outputs.push(each);
      else if (each) ops.push(...settle(each, options));
    }
    if (ops.length > maxOperations && faults.length === 0)
      tell(`makes ${ops.length} operations of at most ${maxOperations}`);
  }
  if (faults.length > 0) throw invalid(faults.toSorted((a, b) => a.index - b.index));
  if (unknown[0] !== undefined) throw problem('unknown_preset', { name: unknown[0] });
  const recipe = { ops, out: foldOutput(outputs, options.effort, encoders) };
  refuseExactBoxes(recipe, options.maxOutputSide);
  return recipe;
}

/** Each operation of a recipe as canonical text: `["fit:800x", "webp:q=80"]`. */
export function pipelineOperations(recipe: Recipe): string[] {
  return [...recipe.ops, ...unfoldOutput(recipe.out, recipe.ops.length === 0)].map(writeStep);
}

/** A recipe as canonical text, which gives the same recipe when read with effort `balanced`. */
export function formatPipeline(recipe: Recipe): string {
  return pipelineOperations(recipe).join('/');
}

/** A recipe as canonical JSON: version, sorted keys, no blanks. */
export function recipeJson(recipe: Recipe): string {
  return JSON.stringify(sorted({ v: 1, ops: recipe.ops, out: recipe.out }));
}

/** Reads canonical JSON back; throws `invalid_pipeline` for anything else. */
export function recipeFromJson(text: string, limits: Limits): Recipe {
  const { ops, out } = JSON.parse(text) as { ops: Step[]; out: Output };
  return parsePipeline([...ops, ...unfoldOutput(out, false)], { ...limits, effort: 'balanced' });
}

/** sha256 of the canonical JSON, in hex: equal for every spelling of the same recipe. */
export function recipeHash(recipe: Recipe): string {
  return createHash('sha256').update(recipeJson(recipe)).digest('hex');
}

/** Every operation with its sentence, arguments, JSON schema and examples: for OpenAPI, documents, help and forms. */
export function describeOperations(limits: Limits): OperationSchema[] {
  return operations.map((each) => operationSchema(each, limits));
}

type Tell = (reason: string, facts?: { arg?: string; suggestion?: string }) => void;

const presetOf = ({ operation, values }: OutputCall): string | undefined =>
  operation.kind === 'word' && 'preset' in operation ? operation.preset(values) : undefined;

type Expanding = { options: PipelineOptions; tell: Tell; unknown: string[] };

/** The calls that a preset stands for. It holds no other preset, or two could stand for each other. */
function callsOfPreset(name: string, { options, tell, unknown }: Expanding): (OutputCall | undefined)[] {
  const pipeline = options.presets?.get(name);
  if (pipeline === undefined) {
    unknown.push(name);
    return [];
  }
  const { calls, faults } = cutPipeline(pipeline);
  if (faults.length > 0) tell(`stands for a pipeline that cannot be read: ${pipeline}`);
  return calls.map((call) => {
    const read = readCall(call, options, (reason) => tell(`stands for "${call.text}", which ${reason}`));
    if (!read || presetOf(read) === undefined) return read;
    tell('stands for another preset');
    return undefined;
  });
}

/** Reads the arguments of a call; undefined when something was told. */
function readCall(call: Call, limits: Limits, tell: Tell): OutputCall | undefined {
  const name = spelled(call.name);
  const named = names.get(name);
  if (!named) {
    const suggestion = nearest(name, [...names.keys()]);
    if (suggestion) tell(`is not an operation; did you mean "${suggestion}"?`, { suggestion });
    else tell(`is not an operation; known are ${operations.map((each) => each.name).join(', ')}`);
    return undefined;
  }
  const { operation, shorthand } = named;
  const raw = gather(call, operation, shorthand, tell);
  const values: Record<string, unknown> = {};
  const given = new Set<string>();
  let fits = raw !== undefined;
  for (const [key, argument] of Object.entries(operation.args)) {
    const written = raw && rawValue(raw, key);
    if (written !== undefined) given.add(key);
    try {
      if (written !== undefined) place(values, key, argument.read(written, limits));
      else if (argument.required) throw new Unfit(`needs ${argument.allowed}`);
      else if (argument.fallback !== undefined) values[key] = argument.fallback;
    } catch (error) {
      if (!(error instanceof Unfit)) throw error;
      fits = false;
      const about = key === 'size' || written === undefined ? error.message : `${key} ${error.message}`;
      if (raw) tell(about.startsWith(key) ? `is wrong: ${about}` : about, { arg: key });
    }
  }
  const wrong = fits ? operation.contradiction?.(values) : undefined;
  if (wrong) tell(wrong);
  return fits && !wrong ? { operation, values, given } : undefined;
}

/** Positional and keyed arguments under one roof; undefined when they do not even match the names. */
function gather(call: Call, operation: Operation, shorthand: string | undefined, tell: Tell) {
  const keys = shorthand ? [shorthand] : Object.keys(operation.args);
  const allowed = Object.keys(operation.args).flatMap((key) => (key === 'size' ? ['size', 'width', 'height'] : [key]));
  const raw = new Map(call.keyed);
  const before = raw.size;
  let told = false;
  const fault: Tell = (reason, facts) => {
    told = true;
    tell(reason, facts);
  };
  if (call.positional.length > keys.length)
    fault(keys.length === 0 ? 'takes no arguments' : `takes at most ${keys.length} arguments: ${keys.join(', ')}`);
  for (const [index, value] of call.positional.entries()) {
    const key = keys[index];
    if (key !== undefined && raw.has(key)) fault(`gives ${key} twice`, { arg: key });
    else if (key !== undefined) raw.set(key, value);
  }
  for (const key of call.twice) fault(`gives ${key} twice`, { arg: key });
  for (const value of call.late) fault(`has "${value}" after a named argument; plain ones come first`);
  if (before > 0)
    for (const key of call.keyed.keys()) {
      if (allowed.includes(key)) continue;
      const near = nearest(key, allowed);
      if (near) fault(`has no argument "${key}"; did you mean "${near}"?`, { arg: key, suggestion: near });
      else fault(`has no argument "${key}"; it takes ${allowed.join(', ') || 'none'}`, { arg: key });
    }
  if (raw.has('size') && (raw.has('width') || raw.has('height'))) fault('gives its size twice', { arg: 'size' });
  return told ? undefined : raw;
}

function rawValue(raw: Map<string, unknown>, key: string): unknown {
  if (key !== 'size' || raw.has('size')) return raw.get(key);
  const width = raw.get('width');
  const height = raw.get('height');
  return width === undefined && height === undefined ? undefined : { width, height };
}

function place(values: Record<string, unknown>, key: string, value: unknown): void {
  if (key === 'size') Object.assign(values, value);
  else values[key] = value;
}

/** A read call as canonical steps: none for what is implied, another operation's for a word that stands for it. */
function settle({ operation, values }: OutputCall, limits: Limits): Step[] {
  if (operation.kind === 'output') return [];
  const other = 'becomes' in operation ? operation.becomes?.(values) : undefined;
  if (other === null) return [];
  if (other === undefined) return [{ op: operation.name, ...values }];
  const { op, ...args } = other;
  const keyed = new Map(Object.entries(args).filter(([, value]) => value !== undefined));
  const call = { index: 0, item: 0, text: op, name: op, positional: [], keyed, twice: [], late: [] };
  const read = readCall(call, limits, (reason) => {
    throw new Error(`${operation.name} became ${op}, which ${reason}`);
  });
  return read ? settle(read, limits) : [];
}

/** What is too large for a dot, a long and a tall source alike is too large for every source. */
function refuseExactBoxes(recipe: Recipe, maxOutputSide: number): void {
  const shapes = [
    { width: 1, height: 1 },
    { width: 16_384, height: 1 },
    { width: 1, height: 16_384 },
  ];
  const refused = shapes.map((shape) => (recipe.ops.length > 0 ? tooLarge(recipe, shape, maxOutputSide) : undefined));
  if (refused.every((each) => each !== undefined)) throw problem('output_too_large', refused[0]!);
}

function writeStep({ op, ...values }: { op: string } & Record<string, unknown>): string {
  const operation = names.get(op)?.operation;
  if (!operation) return op;
  const written = [op];
  for (const [key, argument] of Object.entries(operation.args)) {
    const value = key === 'size' ? values : values[key];
    // A lossless picture has no quality unless one was asked for, so there even the usual one is written.
    const usual = value === argument.fallback && !argument.shown && !(key === 'q' && values.lossless === true);
    if (value === undefined || usual) continue;
    const text = argument.write(value as never);
    // A lone quality reads better without its name: `compress:50`, `webp:70`.
    written.push(argument.required || (key === 'q' && written.length === 1) ? text : `${key}=${text}`);
  }
  return written.join(':');
}

function pipelineFault(
  { index, item }: { index: number; item: number },
  text: string,
  reason: string,
  isList: boolean,
): PipelineFault {
  return {
    type: isList && text !== '' && reason.startsWith('must be text') ? 'string_type' : 'value_error',
    loc: ['pipeline', item],
    index,
    op: text,
    message: `Operation ${index + 1}: "${text.length > 80 ? `${text.slice(0, 79)}…` : text}" ${reason}.`.replace(
      '?.',
      '?',
    ),
    input: text,
  };
}

function invalid(faults: PipelineFault[]) {
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more)` : '';
  return problem('invalid_pipeline', { reason: `${faults[0]!.message}${more}` }, { faults });
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, each]) => each !== undefined)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, each]) => [key, sorted(each)]),
  );
}
