// arguments.ts — the kinds of argument an operation can take.
//
// A kind reads what a person wrote (text in a pipeline, a value in JSON) into one canonical value, writes that value as
// short text, and describes itself as JSON schema. Parser, schema, documents and forms all follow from these; there is no
// second list. What does not fit is thrown as `Unfit`, whose message completes `"fit:0x10" …`.

import { cssColors } from './colors.ts';

export type Limits = { maxOutputSide: number };
export type Size = { width?: number; height?: number };
export type ValueSchema = Readonly<Record<string, unknown>>;

export type Argument<T = unknown> = {
  kind: string;
  required: boolean;
  fallback?: T;
  /** Written even when it is the default: `compress:50` says more than `compress`. */
  shown?: boolean;
  read(raw: unknown, limits: Limits): T;
  write(value: T): string;
  /** What may stand here, in words: for faults, help and documents. */
  allowed: string;
  schema(limits: Limits): ValueSchema;
};

/** Thrown by `read`: the text or value does not fit the argument. */
export class Unfit extends Error {
  override readonly name = 'Unfit';
}

type Bounds = { min: number; max: number; required?: boolean };

/** A whole number; with `percent` the text may end in "%". */
export function whole(options: Bounds & { default: number; percent?: boolean; shown?: boolean }): Argument<number>;
export function whole(options: Bounds & { required: true; percent?: boolean }): Argument<number>;
export function whole(options: Bounds & { percent?: boolean }): Argument<number | undefined>;
export function whole(
  options: Bounds & { default?: number; percent?: boolean; shown?: boolean },
): Argument<number> | Argument<number | undefined> {
  const { min, max, percent, shown } = options;
  const allowed = `a whole number from ${min} to ${max}`;
  return {
    kind: 'whole',
    required: options.required ?? false,
    ...(options.default === undefined ? {} : { fallback: options.default }),
    ...(shown ? { shown } : {}),
    allowed,
    read: (raw) => wholeNumber(percent && typeof raw === 'string' ? raw.trim().replace(/%$/, '') : raw, min, max),
    write: String,
    schema: () => ({ type: 'integer', minimum: min, maximum: max }),
  };
}

/** A number with at most four decimals; with `percent` the text may end in "%". */
export function decimal(options: Bounds & { default: number; percent?: boolean }): Argument<number>;
export function decimal(options: Bounds & { required: true; percent?: boolean }): Argument<number>;
export function decimal(options: Bounds & { default?: number; percent?: boolean }): Argument<number> {
  const { min, max, percent } = options;
  return {
    kind: 'decimal',
    required: options.required ?? false,
    ...(options.default === undefined ? {} : { fallback: options.default }),
    allowed: `a number from ${min} to ${max}`,
    read(raw) {
      const text = percent ? plainText(raw).replace(/%$/, '').trim() : plainText(raw);
      // Beyond four decimals no picture changes, and two spellings of one number must not become two recipes.
      const number = /^[+-]?(?:\d{1,9}\.?\d{0,30}|\.\d{1,30})$/.test(text) ? Number(Number(text).toFixed(4)) : NaN;
      if (!(number >= min && number <= max)) throw new Unfit(`must be a number from ${min} to ${max}`);
      return number === 0 ? 0 : number;
    },
    write: String,
    schema: () => ({ type: 'number', minimum: min, maximum: max }),
  };
}

/** An argument that has no default: left out, it is absent. */
export function optional<T>(argument: Argument<T>): Argument<T | undefined> {
  const { fallback: _, ...rest } = argument;
  return rest;
}

const levels = new Map([
  ['low', 0.9],
  ['medium', 0.94],
  ['high', 0.97],
  ['lossless-looking', 0.985],
]);

/** How alike a result must look: a word or a score. */
export function likenessLevel(): Argument<number> {
  const allowed = `${[...levels.keys()].join(', ')} or a number from 0.8 to 0.995`;
  const number = decimal({ min: 0.8, max: 0.995, required: true });
  return {
    ...number,
    kind: 'likeness',
    allowed,
    read(raw, limits) {
      const level = levels.get(plainText(raw).toLowerCase().replaceAll('_', '-'));
      if (level !== undefined) return level;
      try {
        return number.read(raw, limits);
      } catch {
        throw new Unfit(`must be ${allowed}`);
      }
    },
    schema: () => ({ anyOf: [{ enum: [...levels.keys()] }, { type: 'number', minimum: 0.8, maximum: 0.995 }] }),
  };
}

/** A number of bytes, with kb or mb behind it if wanted. */
export function byteCount(): Argument<number> {
  const [min, max] = [100, 100e6];
  return {
    kind: 'bytes',
    required: true,
    allowed: 'a number of bytes from 100 to 100mb, such as 200kb',
    read(raw) {
      const [, digits = '', unit = ''] = /^(\d{1,9})\s*(kb|mb|b)?$/i.exec(plainText(raw)) ?? [];
      const bytes = Number(digits) * ({ kb: 1e3, mb: 1e6 }[unit.toLowerCase()] ?? 1);
      if (!(bytes >= min && bytes <= max))
        throw new Unfit('must be a number of bytes from 100 to 100mb, such as 200kb');
      return bytes;
    },
    write: String,
    schema: () => ({ type: 'integer', minimum: min, maximum: max }),
  };
}

/** The name of a preset. */
export function presetName(): Argument<string> {
  const pattern = '^[a-z0-9_-]{1,32}$';
  return {
    kind: 'name',
    required: true,
    allowed: 'a name of 1 to 32 of the characters a-z, 0-9, "_" and "-"',
    read(raw) {
      const text = plainText(raw).toLowerCase();
      if (!new RegExp(pattern).test(text)) throw new Unfit('must be a name of 1 to 32 of a-z, 0-9, "_" and "-"');
      return text;
    },
    write: String,
    schema: () => ({ type: 'string', pattern }),
  };
}

/** True or false, with the spellings people use. */
export function flag(options: { default: boolean }): Argument<boolean> {
  return {
    kind: 'flag',
    required: false,
    fallback: options.default,
    allowed: 'true or false',
    read(raw) {
      const word = plainText(raw).toLowerCase();
      if (['true', '1', 'yes'].includes(word)) return true;
      if (['false', '0', 'no'].includes(word)) return false;
      throw new Unfit('must be true or false');
    },
    write: String,
    schema: () => ({ type: 'boolean' }),
  };
}

/** One of a few words; `also` maps other spellings to them. */
export function choice<const T extends string>(options: {
  of: readonly T[];
  default?: NoInfer<T>;
  required?: boolean;
  also?: Readonly<Record<string, NoInfer<T>>>;
}): Argument<T> {
  const words = new Map<string, T>([
    ...options.of.map((word) => [word, word] as const),
    ...Object.entries<T>(options.also ?? {}),
  ]);
  return {
    kind: 'choice',
    required: options.required ?? false,
    ...(options.default === undefined ? {} : { fallback: options.default }),
    allowed: options.of.join(', '),
    read(raw) {
      const found = words.get(plainText(raw).toLowerCase());
      if (found === undefined) throw new Unfit(`must be one of ${options.of.join(', ')}`);
      return found;
    },
    write: String,
    schema: () => ({ type: 'string', enum: options.of }),
  };
}

/** A colour as 6 or 8 lower-case hex digits; full opacity is not written. */
export function color(options: { default: string }): Argument<string> {
  return {
    kind: 'color',
    required: false,
    fallback: options.default,
    allowed: '3, 4, 6 or 8 hex digits, a CSS colour name, or transparent',
    read(raw) {
      const text = plainText(raw).toLowerCase();
      const digits = cssColors.get(text) ?? text.replace(/^#/, '');
      if (!/^(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})$/.test(digits))
        throw new Unfit('must be a colour: 3, 4, 6 or 8 hex digits or a CSS name');
      const long = digits.length < 6 ? digits.replaceAll(/./g, '$&$&') : digits;
      return long.length === 8 && long.endsWith('ff') ? long.slice(0, 6) : long;
    },
    write: String,
    schema: () => ({ type: 'string', description: 'Colour: hex digits, CSS name or transparent' }),
  };
}

const placeWords = ['center', 'top', 'right-top', 'right', 'right-bottom', 'bottom', 'left-bottom', 'left', 'left-top'];
const placeNames = new Map<string, string>([
  ...placeWords.map((word) => [word, word] as const),
  ...Object.entries({ centre: 'center', middle: 'center', north: 'top', south: 'bottom', east: 'right', west: 'left' }),
  ...Object.entries({ 'top-right': 'right-top', northeast: 'right-top', 'north-east': 'right-top' }),
  ...Object.entries({ 'bottom-right': 'right-bottom', southeast: 'right-bottom', 'south-east': 'right-bottom' }),
  ...Object.entries({ 'bottom-left': 'left-bottom', southwest: 'left-bottom', 'south-west': 'left-bottom' }),
  ...Object.entries({ 'top-left': 'left-top', northwest: 'left-top', 'north-west': 'left-top' }),
]);

/** Where something sits in a box: center, a side or a corner. */
export function place(): Argument<string> {
  return {
    kind: 'place',
    required: false,
    fallback: 'center',
    allowed: placeWords.join(', '),
    read(raw) {
      const found = placeNames.get(plainText(raw).toLowerCase().replaceAll('_', '-').replaceAll(' ', '-'));
      if (!found) throw new Unfit(`must be one of ${placeWords.join(', ')}`);
      return found;
    },
    write: String,
    schema: () => ({ type: 'string', enum: placeWords }),
  };
}

/** A box: "800x600", "800x", "x600", "800"; in JSON also `width` and `height` beside each other. */
export function size(): Argument<Size> {
  return {
    kind: 'size',
    required: true,
    allowed: 'a size such as 800x600, 800x or x600',
    read(raw, { maxOutputSide }) {
      const { width, height } = typeof raw === 'object' && raw !== null ? (raw as Record<string, unknown>) : sides(raw);
      const read: Size = {};
      if (width !== undefined && width !== null) read.width = side('width', width, maxOutputSide);
      if (height !== undefined && height !== null) read.height = side('height', height, maxOutputSide);
      if (read.width === undefined && read.height === undefined) throw new Unfit('needs a width or a height');
      return read;
    },
    write: ({ width, height }) => `${width ?? ''}x${height ?? ''}`,
    schema: ({ maxOutputSide }) => ({ type: 'integer', minimum: 1, maximum: maxOutputSide }),
  };
}

function sides(raw: unknown): { width: string | undefined; height: string | undefined } {
  const found = /^(\d*)(?:x(\d*))?$/i.exec(plainText(raw).replaceAll(/\s+/g, ''));
  if (!found) throw new Unfit('must be a size such as 800x600, 800x or x600');
  return { width: found[1] || undefined, height: found[2] || undefined };
}

function side(name: string, raw: unknown, max: number): number {
  try {
    return wholeNumber(raw, 1, max);
  } catch {
    throw new Unfit(`must have a ${name} from 1 to ${max}`);
  }
}

function wholeNumber(raw: unknown, min: number, max: number): number {
  const text = plainText(raw);
  const number = /^[+-]?\d{1,15}(?:\.0*)?$/.test(text) ? Number(text) : NaN;
  if (!(number >= min && number <= max)) throw new Unfit(`must be a whole number from ${min} to ${max}`);
  return number === 0 ? 0 : number;
}

/** JSON may hold anything where a word or a number belongs. */
function plainText(raw: unknown): string {
  if (typeof raw === 'string') return raw.trim();
  if (typeof raw === 'number' || typeof raw === 'boolean') return String(raw);
  throw new Unfit('must be text, a number, or true or false');
}
