// schema.ts — describes operations to machines: the TypeBox schema of an operation's JSON form, from its `args` alone.

import { type TObject, type TSchema, Type } from 'typebox';
import type { Argument, Limits } from './arguments.ts';
import type { Operation } from './operations/operation.ts';

export type OperationSchema = {
  name: string;
  aliases: string[];
  kind: string;
  summary: string;
  examples: string[];
  args: { name: string; required: boolean; default?: unknown; allowed: string }[];
  schema: TObject;
};

/** One operation as documents, OpenAPI and forms need it. */
export function operationSchema(operation: Operation, limits: Limits): OperationSchema {
  const { name, aliases = [], shorthands = {}, kind, summary, examples, args } = operation;
  return {
    name,
    aliases: [...aliases, ...Object.keys(shorthands)],
    kind,
    summary,
    examples: [...examples],
    args: Object.entries(args).map(([key, { required, fallback, allowed }]) => ({
      name: key,
      required,
      ...(fallback === undefined ? {} : { default: fallback }),
      allowed,
    })),
    schema: Type.Object(
      { op: Type.Literal(name), ...properties(args, limits) },
      { description: summary, additionalProperties: false },
    ),
  };
}

function properties(args: Operation['args'], limits: Limits): Record<string, TSchema> {
  return Object.fromEntries(
    Object.entries(args).flatMap(([key, argument]) =>
      key === 'size'
        ? ['width', 'height'].map((side) => [side, Type.Optional(property(argument, limits))] as const)
        : [[key, argument.required ? property(argument, limits) : Type.Optional(property(argument, limits))] as const],
    ),
  );
}

function property(argument: Argument<never> | Argument, limits: Limits): TSchema {
  const fallback = argument.fallback === undefined ? {} : { default: argument.fallback };
  return Type.Unsafe<unknown>({ ...argument.schema(limits), ...fallback });
}
