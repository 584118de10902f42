// documented.ts — the OpenAPI document as tests read it: its operations, and whether an answer is what it promises.

import { Compile } from 'typebox/compile';

export type Content = Record<string, { schema?: object; example?: unknown; examples?: Record<string, object> }>;
export type Operation = {
  method: string;
  path: string;
  operationId?: string;
  summary?: string;
  tags?: string[];
  security?: object[];
  parameters?: { name: string; in: string; schema: object; example?: unknown }[];
  requestBody?: { content: Content };
  responses: Record<string, { description: string; content?: Content }>;
};
// oxlint-disable-next-line typescript/no-explicit-any -- a document of any shape, looked into by path
export type Document = any;

export function operationsOf(document: Document): Operation[] {
  return Object.entries<Record<string, object>>(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, ...operation }) as Operation),
  );
}

/** Why `value` is not what the schema says, or nothing. */
export function faultsOf(document: Document, schema: object, value: unknown): string[] {
  const validator = Compile(resolved(document, schema) as object);
  if (validator.Check(value)) return [];
  return validator.Errors(value).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

/** The schema with what it refers to in its places; ours never refer to themselves. */
export function resolved(document: Document, schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map((each) => resolved(document, each));
  if (typeof schema !== 'object' || schema === null) return schema;
  if ('$ref' in schema) {
    const keys = String(schema.$ref).split('/').slice(1);
    return resolved(
      document,
      keys.reduce<Document>((at, key) => at[key], document),
    );
  }
  return Object.fromEntries(Object.entries(schema).map(([key, inner]) => [key, resolved(document, inner)]));
}

/** The schema that is documented for this answer, if it has a body. Throws a sentence when the answer is not documented. */
export function promisedBy({ method, path, responses }: Operation, status: number, type: string): object | undefined {
  const name = `${method.toUpperCase()} ${path}`;
  const answer = responses[String(status)];
  if (!answer) throw new Error(`${name}: ${status} is not documented`);
  if (status === 204) return undefined;
  const [plain = ''] = type.split(';');
  const known = answer.content ?? {};
  const schema = (known[plain] ?? known[plain.replace(/\/.*/, '/*')])?.schema;
  if (!schema) throw new Error(`${name}: ${status} is not documented as ${plain}`);
  return schema;
}
