// problem.ts — everything that can go wrong, once: code, status, sentence, whether trying again helps.
//
// A Problem is what a user may read. Each surface dresses it in its own error shape; an image that failed keeps only the
// code, so `title` must stand alone. `detail` is the fuller sentence with the facts of the moment; its {placeholders}
// are typed, so that a sentence cannot be thrown with a hole in it. The operator's log gets `cause`; the user never does.

import { sourceProblems } from './problems/sources.ts';
import { pictureProblems } from './problems/pictures.ts';
import { requestProblems } from './problems/requests.ts';

export type Entry = {
  /** HTTP status when a request ends with this problem. */
  status: number;
  /** A sentence without holes; what an image that failed shows. */
  title: string;
  /** The sentence with {placeholders}; absent = title. */
  detail?: string;
  /** What an image shows that ended with this code; absent = title. */
  ofImage?: string;
  /** What the reader can do about it; absent = nothing but what the title says. */
  remedy?: string;
  /** True when the same request or image may succeed later without any change. */
  retryable: boolean;
};

export const catalogue = { ...requestProblems, ...sourceProblems, ...pictureProblems } as const satisfies Record<
  string,
  Entry
>;

export type Code = keyof typeof catalogue;

type Holes<S> = S extends `${string}{${infer Hole}}${infer Rest}` ? Hole | Holes<Rest> : never;
type DetailOf<C extends Code> = (typeof catalogue)[C] extends { detail: infer D } ? D : never;
type Values<C extends Code> = Record<Holes<DetailOf<C>>, string | number>;

/** One fault of several in the same request. `loc` names where: body, query or path, then keys and indexes. */
export type Fault = { type: string; loc: (string | number)[]; message: string; input?: unknown };

export type ProblemFacts = {
  faults?: Fault[];
  /** Extra keys some surface shows beside code and sentence (`missing`, `status`, `id`). */
  extra?: Record<string, unknown>;
  /** Becomes the Retry-After header, or the wait before the next attempt. */
  retryAfterMs?: number;
  /** Answer of the foreign host, and which host it was: for the image's row, never for another's eyes. */
  httpStatus?: number;
  host?: string;
  headers?: Record<string, string>;
  cause?: unknown;
};

export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: Code;
  readonly status: number;
  readonly retryable: boolean;
  readonly facts: ProblemFacts;

  constructor(code: Code, message: string, facts: ProblemFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    const entry = entryOf(code);
    this.code = code;
    this.status = entry.status;
    this.retryable = entry.retryable;
    this.facts = facts;
  }
}

/** Makes the problem `code` with its placeholders filled: `problem('too_large', { limit: '25 MB', setting: '…' })`. */
export function problem<C extends Code>(
  code: C,
  ...[values, facts]: [Holes<DetailOf<C>>] extends [never]
    ? [values?: Record<string, never>, facts?: ProblemFacts]
    : [values: Values<C>, facts?: ProblemFacts]
): Problem {
  return new Problem(code, sentence(code, values ?? {}), facts);
}

/** The same problem said in other words: for the few places where a design prescribes the sentence to the letter. */
export function problemSaying(code: Code, message: string, facts?: ProblemFacts): Problem {
  return new Problem(code, message, facts);
}

export function entryOf(code: Code): Entry {
  return catalogue[code];
}

/** True when `text` is one of our codes: codes read back from rows may be of a newer release. */
export function isCode(text: string): text is Code {
  return Object.hasOwn(catalogue, text);
}

/** What an image shows for the code in its row. */
export function imageSentence(code: string): string {
  if (!isCode(code)) return code;
  const { ofImage, title } = entryOf(code);
  return ofImage ?? title;
}

/** Any thrown thing as a Problem; what we did not foresee becomes `internal`, with the original as its cause. */
export function asProblem(thrown: unknown): Problem {
  return thrown instanceof Problem ? thrown : problem('internal', {}, { cause: thrown });
}

function sentence(code: Code, values: Record<string, string | number>): string {
  const { detail, title } = entryOf(code);
  return (detail ?? title).replaceAll(/\{(\w+)\}/g, (hole, name: string) => String(values[name] ?? hole));
}
