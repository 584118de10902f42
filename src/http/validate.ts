// validate.ts — checks what came in against a route's schema and tells all faults at once.
//
// One schema is validation, types and OpenAPI. The faults carry the words of the seeds' framework (`missing`,
// `string_type`, `int_parsing`, …) with the place; each surface shows them in its own shape. Queries are text: numbers
// and booleans are read here, and of a repeated value the first that is not empty counts.

import type { FastifySchemaCompiler } from 'fastify';
import { Compile } from 'typebox/compile';
import type { TLocalizedValidationError } from 'typebox/error';
import type { Static, TSchema } from 'typebox';
import { problem, type Fault } from '../problem.ts';
import { nearest } from '../settings/read.ts';

/** The validator of the server: an invalid body, query or path becomes one `invalid_request` with every fault. */
export const compileSchema: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const validator = Compile(schema);
  const part = partNames[httpPart ?? 'body'] ?? 'body';
  return (given: unknown) => {
    const value = httpPart === 'querystring' || httpPart === 'form' ? readTexts(schema, given) : given;
    const nul = placeOfNul(value);
    if (nul) return { error: problem('invalid_request', {}, { faults: [{ ...noNul, loc: [part, ...nul] }] }) };
    if (validator.Check(value)) return { value };
    return {
      error: problem('invalid_request', {}, { faults: faultsOf(validator.Errors(value), part, value, schema) }),
    };
  };
};

/** Checks a value by hand, where a route takes bodies of several kinds: returns it typed, or throws every fault. */
export function checked<S extends TSchema>(schema: S, value: unknown, part: 'body' | 'form'): Static<S> {
  const result = compileSchema({ schema, httpPart: part, method: '', url: '' })(value) as {
    value?: Static<S>;
    error?: Error;
  };
  if (result.error) throw result.error;
  // The validator has just said so.
  return result.value as Static<S>;
}

const noNul = { type: 'value_error', message: 'Input should not contain the character U+0000' };
/** No body that is taken here is deeper; what is deeper is refused for its form. */
const deepest = 10;

/** Where a text or a name holds U+0000, which no PostgreSQL stores. A loop, because JSON may be nested 100,000 deep. */
function placeOfNul(value: unknown): Fault['loc'] | undefined {
  const open: { value: unknown; loc: Fault['loc'] }[] = [{ value, loc: [] }];
  for (let at = open.pop(); at; at = open.pop()) {
    const { value: found, loc } = at;
    if (typeof found === 'string' && found.includes('\0')) return loc;
    if (typeof found !== 'object' || found === null || loc.length >= deepest) continue;
    for (const [key, inner] of Object.entries(found)) {
      if (key.includes('\0')) return loc;
      open.push({ value: inner, loc: [...loc, Array.isArray(found) ? Number(key) : key] });
    }
  }
  return undefined;
}

const partNames: Record<string, string> = { querystring: 'query', params: 'path', body: 'body', form: 'body' };

function readTexts(schema: TSchema, given: unknown): Record<string, unknown> {
  const read: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(Object(given))) {
    const type = (propertiesOf(schema)[name] as { type?: string } | undefined)?.type;
    const first = Array.isArray(value) && type !== undefined ? (value.find((each) => each !== '') ?? '') : value;
    if (first === '' && type !== undefined && type !== 'string') continue;
    read[name] = typeof first === 'string' ? readText(first, type) : first;
  }
  return read;
}

function readText(text: string, type: string | undefined): unknown {
  if (type === 'boolean') return /^(1|true)$/i.test(text) ? true : /^(0|false)$/i.test(text) ? false : text;
  if (type === 'integer') return /^-?\d{1,15}$/.test(text) ? Number(text) : text;
  return text;
}

function faultsOf(errors: TLocalizedValidationError[], part: string, value: unknown, schema: TSchema): Fault[] {
  if (value === undefined || value === null) return [{ type: 'missing', loc: [part], message: 'Field required' }];
  const unions = errors.filter((error) => error.keyword === 'anyOf').map((error) => `${error.schemaPath}/anyOf`);
  return errors
    .filter((error) => error.keyword !== 'boolean' && !unions.some((path) => error.schemaPath.startsWith(path)))
    .flatMap((error) => faultsOfError(error, part, value, schema))
    .slice(0, 100);
}

function faultsOfError(error: TLocalizedValidationError, part: string, value: unknown, schema: TSchema): Fault[] {
  const path = error.instancePath.split('/').slice(1).map(unescape);
  const loc = [part, ...path.map((key) => (/^\d+$/.test(key) ? Number(key) : key))];
  const input = echo(path.reduce<unknown>((at, key) => Object(at)[key], value));
  if (error.keyword === 'required')
    return error.params.requiredProperties.map((name) => ({
      type: 'missing',
      loc: [...loc, name],
      message: 'Field required',
    }));
  if (error.keyword === 'additionalProperties')
    return error.params.additionalProperties.map((name) => unknownName(name, loc, path.length === 0 ? schema : {}));
  const [type, message] = words(error);
  return [{ type, loc, message, input }];
}

function unknownName(name: string, loc: (string | number)[], schema: TSchema): Fault {
  const near = nearest(name, Object.keys(propertiesOf(schema)));
  const hint = near ? ` Did you mean "${near}"?` : '';
  return { type: 'extra_forbidden', loc: [...loc, name.slice(0, 100)], message: `This is not known here.${hint}` };
}

function words(error: TLocalizedValidationError): [type: string, message: string] {
  switch (error.keyword) {
    case 'type':
      return (
        typeWords[String(error.params.type)] ?? ['value_error', `Input should be a valid ${String(error.params.type)}`]
      );
    case 'minimum':
      return ['greater_than_equal', `Input should be greater than or equal to ${error.params.limit}`];
    case 'maximum':
      return ['less_than_equal', `Input should be less than or equal to ${error.params.limit}`];
    case 'enum':
      return ['value_error', `Input should be one of ${error.params.allowedValues.join(', ')}`];
    case 'anyOf':
      return ['value_error', 'Input has none of the forms that are taken here'];
    default:
      return ['value_error', `Input ${error.message}`];
  }
}

const typeWords: Record<string, [string, string]> = {
  string: ['string_type', 'Input should be a valid string'],
  array: ['list_type', 'Input should be a valid list'],
  integer: ['int_parsing', 'Input should be a valid integer'],
  boolean: ['bool_parsing', 'Input should be a valid boolean'],
};

// An input is repeated only where it is short: JSON nested 100,000 deep could not be written out again.
const echo = (input: unknown): unknown =>
  typeof input === 'string' ? input.slice(0, 200) : Object(input) === input ? null : input;
const propertiesOf = (schema: TSchema): Record<string, unknown> => Object(schema).properties ?? {};
const unescape = (key: string): string => key.replaceAll('~1', '/').replaceAll('~0', '~');
