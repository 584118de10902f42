// operation.ts — what an operation is.
//
// One file describes one operation: name, sentence, arguments, and what it does. Parser, canonical form, JSON schema,
// documents and `GET /v1/operations` follow from it. The files name sharp as a type only: they run in every process.

import type { Sharp } from 'sharp';
import type { Argument, Size } from '../arguments.ts';

export type Arguments = Readonly<Record<string, Argument<never> | Argument>>;
type ValueOf<A> = A extends Argument<infer T> ? T : never;
/** The values of a step. A `size` stands as `width` and `height`, as people write it in JSON. */
export type Values<A> = { [K in keyof A as K extends 'size' ? never : K]: ValueOf<A[K]> } & (A extends {
  size: Argument<Size>;
}
  ? Size
  : unknown);

export type Box = { width: number; height: number };

/** Why an operation cannot be applied, for people. */
export const reasons = { outside: 'the box lies outside the picture' } as const;
export type Reason = keyof typeof reasons;

/** What an output operation asks for; `output.ts` folds all of them into one record. */
export type Wish = { format?: string; quality?: number; profile?: string; target?: number; maxBytes?: number };

type Described<A> = {
  name: string;
  release: number;
  summary: string;
  examples: readonly string[];
  /** The order here is the order of positional arguments. */
  args: A;
  aliases?: readonly string[];
  /** What is wrong with values that are right one by one. Completes `"crop:9x9" …`. */
  contradiction?(values: Values<A>): string | undefined;
  /** Names that mean this operation with their value given to one argument: `w:800` is `fit:width=800`. */
  shorthands?: Readonly<Record<string, string>>;
};

/** What an operation may know of the pass it is in. */
export type PassFacts = {
  last: boolean;
  /** The size it works on. */
  box: Box;
  /** sharp decodes a JPEG for it. */
  shrinksOnLoad: boolean;
  /** Another operation of the pass counts on the very size that was foreseen. */
  exactly: boolean;
};

type Drawing<A> = {
  kind: 'geometry' | 'pixels';
  /** Where sharp runs this inside one instance, whatever the order of calls. */
  rank: number;
  /** The same, where a size operation stands before it in the pass. */
  rankAfterSize?: number;
  /** Operations of one class replace each other inside an instance; absent = the name. */
  group?: string;
  /** True when it may join a pass after a size operation although sharp runs it earlier: the result is the same. */
  commutesWithSize?: boolean;
  /** Nothing may follow in the same pass. */
  ends?(values: Values<A>): boolean;
  /** True for mirrors, which sharp runs before it turns and crops. */
  mirrors?: boolean;
  /** True when neighbouring pixels flow into each other. */
  blends?: boolean;
  /** True when it must know the size of what it works on, before it begins. */
  needsBox?(values: Values<A>): boolean;
  /** True when it must not see this source as it is stored: on its side, or in another colour space. */
  needsPlain?(values: Values<A>, source: { turned: boolean; space: string }): boolean;
  /** True for a size operation that ends with a crop or padding, which sharp runs late. */
  crops?: boolean;
  /** Size of the result; absent = unchanged, null = only the pixels tell. */
  box?(input: Box, values: Values<A>): Box | null;
  /** True when pixels are invented: some side is scaled up. */
  enlarges?(input: Box, values: Values<A>): boolean;
  /** Why this size cannot be worked on; a word of `reasons`. */
  impossible?(input: Box, values: Values<A>): Reason | undefined;
  /** True when less is cut out than was asked for. */
  clamps?(input: Box, values: Values<A>): boolean;
  /** The whole picture scaled, before any crop or padding: what smaller renditions can be made from. */
  whole?(input: Box, values: Values<A>): Box;
  bringsColor?(values: Values<A>): boolean;
  bringsAlpha?(values: Values<A>): boolean;
  /** Another operation that means the same; null = nothing to do. Asked once, when the pipeline is read. */
  becomes?(values: Values<A>): ({ op: string } & Record<string, unknown>) | null | undefined;
  apply(image: Sharp, values: Values<A>, pass: PassFacts): Sharp;
};

/** A word that stands for other operations, or for none; or for those of a preset. */
type Word<A> = { kind: 'word' } & (
  | { becomes(values: Values<A>): ({ op: string } & Record<string, unknown>) | null }
  | { preset(values: Values<A>): string }
);

type Encoding<A> = {
  kind: 'output';
  /** `given` holds the arguments a person wrote, so that a default does not override an earlier wish. */
  wish(values: Values<A>, given: ReadonlySet<string>): Wish;
  /** True for an encoder: its arguments become part of `out` when its format is the one chosen in the end. */
  encoder?: boolean;
};

export type Operation<A = Arguments> = Described<A> & (Drawing<A> | Word<A> | Encoding<A>);
export type Drawn = Described<Arguments> & Drawing<Arguments>;

/** Declares an operation; the static type of its values follows from `args`. */
export function operation<const A extends Record<string, Argument<never> | Argument>>(
  described: Operation<A>,
): Operation {
  return described;
}
