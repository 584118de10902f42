// calls.ts — cuts what a person wrote into calls: a name and its arguments, still unread.
//
// A pipeline comes as text ("fit:800x/webp:80") or as a JSON list of such texts and of objects. Both become the same
// calls, so everything behind this file knows one form only. Nothing here knows which operations exist.

export type Call = {
  /** Place of the operation in the whole pipeline, from 0. */
  index: number;
  /** Where the surface finds it: the same for text, the item's index for a list. */
  item: number;
  /** As written, for messages. */
  text: string;
  name: string;
  positional: unknown[];
  /** A Map, because `__proto__` is a key like any other. */
  keyed: Map<string, unknown>;
  /** Keys that were given twice, and values after a key: told as faults when the call is read. */
  twice: string[];
  late: string[];
};

export type CutFault = { index: number; item: number; text: string; reason: string };

export const maxOperations = 20;
const maxBytes = 2048;

/** Cuts a pipeline into calls. `faults` holds what is no call at all; the rest is still cut, to tell all faults at once. */
export function cutPipeline(input: unknown): { calls: Call[]; faults: CutFault[] } {
  const calls: Call[] = [];
  const faults: CutFault[] = [];
  const fault = (item: number, text: string, reason: string) =>
    faults.push({ index: calls.length + faults.length, item, text, reason });
  const items = Array.isArray(input) ? input : [input];
  if (items.length > maxOperations)
    fault(0, '', `is one of ${items.length}, but a pipeline has at most ${maxOperations}`);
  else if (sizeOf(input) > maxBytes) fault(0, '', `belongs to a pipeline longer than ${maxBytes} bytes`);
  else
    for (const [item, each] of items.entries()) {
      const place = (offset: number) => ({
        index: calls.length + faults.length,
        item: Array.isArray(input) ? item : offset,
      });
      if (typeof each === 'string') cutText(each, Array.isArray(input), place, calls, faults);
      else if (isObject(each)) cutObject(each, place(0), calls, faults);
      else fault(item, short(each), 'must be text or an object with "op"');
    }
  if (calls.length > maxOperations)
    faults.push({ ...calls[maxOperations]!, reason: `is one too many: a pipeline has at most ${maxOperations}` });
  return { calls, faults };
}

function cutText(
  text: string,
  isItem: boolean,
  place: (offset: number) => { index: number; item: number },
  calls: Call[],
  faults: CutFault[],
): void {
  // An empty text is the empty pipeline; an empty item of a list is a slip.
  if (text.trim() === '' && !isItem) return;
  for (const [offset, part] of text.split('/').entries()) {
    const [name = '', ...args] = part.split(':').map((each) => each.trim());
    if (name === '') {
      faults.push({ ...place(offset), text: part.trim(), reason: 'has no name' });
      continue;
    }
    const call: Call = {
      ...place(offset),
      text: part.trim(),
      name,
      positional: [],
      keyed: new Map(),
      twice: [],
      late: [],
    };
    for (const arg of args) addArgument(call, arg);
    calls.push(call);
  }
}

function addArgument(call: Call, arg: string): void {
  const equals = arg.indexOf('=');
  if (equals > 0) {
    const key = spelled(arg.slice(0, equals));
    if (call.keyed.has(key)) call.twice.push(key);
    call.keyed.set(key, arg.slice(equals + 1).trim());
  } else if (call.keyed.size > 0) call.late.push(arg);
  else call.positional.push(arg);
}

function cutObject(
  object: Record<string, unknown>,
  place: { index: number; item: number },
  calls: Call[],
  faults: CutFault[],
): void {
  const entries = Object.entries(object);
  const name = entries.find(([key]) => key === 'op')?.[1];
  if (typeof name !== 'string' || name.trim() === '') {
    faults.push({ ...place, text: short(object), reason: 'needs "op", the name of an operation' });
    return;
  }
  const keyed = new Map<string, unknown>();
  const twice: string[] = [];
  for (const [written, value] of entries) {
    const key = spelled(written);
    if (key === 'op' || value === undefined || value === null) continue;
    if (keyed.has(key)) twice.push(key);
    keyed.set(key, value);
  }
  calls.push({ ...place, text: short(object), name: name.trim(), positional: [], keyed, twice, late: [] });
}

/** Names and keys are free of case, and "_" is "-". */
export const spelled = (name: string): string => name.trim().toLowerCase().replaceAll('_', '-');

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function sizeOf(input: unknown): number {
  return typeof input === 'string' ? Buffer.byteLength(input) : Buffer.byteLength(json(input));
}

export function short(value: unknown): string {
  const text = typeof value === 'string' ? value : json(value);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

/** Values that JSON cannot hold, or nested too deeply for it, only ever come from code; they are told like any fault. */
function json(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return 'something that is not JSON';
  }
}
