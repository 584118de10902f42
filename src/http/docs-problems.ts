// docs-problems.ts — what can go wrong with each operation, in the error shape of its dialect.
//
// Most of it follows from the route: who may call it, whether it has an id, a query, a body of some kind. The rest stands
// in one table. A problem is dressed by the very function that answers it, so status and example are those of the answer.

import { entryOf, problem, Problem, type Code } from '../problem.ts';
import type { ErrorShape, Scope } from './http.ts';
import { bodies } from './docs-shapes.ts';

export type Operation = {
  operationId: string;
  tags: string[];
  parameters?: { name: string; in?: string }[];
  requestBody?: { content: object };
};
type Route = { method: string; path: string; scope: Scope };
export type Examples = Record<string, { summary: string; value: unknown }>;
type Dialect = { shape: ErrorShape; publicUrl: string; examples: Examples };

const files = [
  'too_many_files',
  'storage_full',
  'quota_exceeded',
  'idempotency_in_progress',
  'idempotency_mismatch',
] as const;
const catalogs = [
  'not_csv',
  'csv_empty',
  'csv_no_rows',
  'csv_no_urls',
  'csv_missing_columns',
  'csv_syntax',
  'too_many_rows',
] as const;
const again = ['idempotency_in_progress', 'idempotency_mismatch'] as const;
const webhook = ['invalid_url', 'blocked_address'] as const;
const pictures = ['not_an_image', 'unsupported_format'] as const;
const stored = ['not_found', 'range_not_satisfiable', 'rate_limited'] as const;

/** What the route does not tell by its form. */
const own: Record<string, readonly Code[]> = {
  createBatch: [
    ...(['invalid_pipeline', 'unknown_preset', 'output_too_large', 'unknown_upload', 'one_file_only'] as const),
    ...webhook,
    ...pictures,
    'webhook_loop',
  ],
  createUploads: [...pictures, 'not_csv'],
  deleteBatch: ['batch_running'],
  retryBatch: ['batch_running', 'nothing_to_retry', ...again],
  retryImage: ['batch_running', 'nothing_to_retry', ...again],
  cancelImage: ['image_running'],
  deleteImages: ['count_changed', ...again],
  listBatches: ['invalid_cursor'],
  listImages: ['invalid_cursor'],
  findImages: ['invalid_cursor'],
  listDeliveries: ['invalid_cursor'],
  listKeys: ['invalid_cursor'],
  getOutputCsv: ['not_ready'],
  getFailedCsv: ['not_ready'],
  getFile: stored,
  getImageSource: ['expired'],
  getImageThumbnail: ['expired', 'overloaded'],
  checkPipeline: ['invalid_pipeline', 'unknown_preset', 'output_too_large'],
  followEvents: ['not_found'],
  testWebhook: [...webhook, ...again],
  retryEverything: ['nothing_to_retry', ...again],
  redeliver: again,
  sweep: again,
  createKey: ['shown_once', ...again],
  rotateWebhookSecret: again,
  signIn: ['unauthorized', 'rate_limited'],
  uploadImage: ['one_file_only', 'corrupt_image', ...pictures],
  getMediaImage: stored,
  imageProcessUpload: ['one_file_only', ...webhook],
  uploadCatalog: ['one_file_only', ...webhook],
  downloadCatalog: ['not_ready'],
  getProcessedImage: stored,
  processImage: ['blocked_address', 'quota_exceeded', ...again],
  getImageOfJob: ['not_found'],
  createTask: pictures,
  getTaskResult: ['not_ready', 'expired'],
  samplePicture: ['not_found'],
};

/**
 * The answers of an operation that are problems: by status, each code with its example. Examples are the same for all
 * operations of a surface, so they are kept in `examples` and referred to.
 */
export function problemAnswers(operation: Operation, route: Route, { shape, publicUrl, examples }: Dialect): Answers {
  const form = formOf(shape);
  const answers = new Map<number, { content: Answers[string]['content']; codes: Set<Code> }>();
  for (const { found, name = '' } of problemsOf(operation, route, form)) {
    const { status, body, type = 'application/json' } = shape(found, { path: '/v1/batches', requestId, publicUrl });
    const { code } = body as { code: Code };
    const answer = answers.get(status) ?? { content: {}, codes: new Set() };
    const kind = (answer.content[plain(type)] ??= { schema: bodies[form], examples: {} });
    const key = `${operation.tags[0]}_${code}${name}`;
    examples[key] ??= { summary: entryOf(code).title, value: body };
    kind.examples[code + name] ??= { $ref: `#/components/examples/${key}` };
    answer.codes.add(code);
    answers.set(status, answer);
  }
  const sorted = [...answers].toSorted(([a], [b]) => a - b);
  return Object.fromEntries(
    sorted.map(([status, { content, codes }]) => [status, { description: list(codes), content }]),
  );
}

const requestId = '7c1f9f3e-0d0a-4a55-8a53-6f0c2f3f9a10';

type Answers = Record<string, { description: string; content: Record<string, Kind> }>;
type Kind = { schema: object; examples: Record<string, { $ref: string }> };

type Form = keyof typeof bodies;

/** In which of the three forms a dialect tells problems: seen by its keys. */
function formOf(shape: ErrorShape): Form {
  const { body } = shape(sampleOf('internal'), { path: '', requestId: '', publicUrl: '' });
  const keys = Object.keys(body as object);
  return keys.includes('title') ? 'problem' : keys.includes('error') ? 'error' : 'detail';
}

/** Faults of form have an example for each place where they can be. */
type Possible = { found: Problem; name?: string };

function problemsOf(operation: Operation, route: Route, form: Form): Possible[] {
  const { parameters = [], requestBody } = operation;
  const types = Object.keys(requestBody?.content ?? {});
  const found = codesOf(operation, route, types, form).map((code): Possible => ({ found: sampleOf(code) }));
  if (parameters.some((each) => each.in === 'path' && /(^|_)id$|Id$/.test(each.name)))
    found.push({ found: sampleOf('not_found') }, faultAt('path', 'id', 'uuid_parsing', 'Input should be a valid UUID'));
  if (parameters.some((each) => each.in === 'query'))
    found.push(faultAt('query', 'limit', 'int_parsing', 'Input should be a valid integer'));
  if (types.length > 0) found.push(faultAt('body', 'name', 'string_type', 'Input should be a valid string'));
  return found;
}

function codesOf({ operationId }: Operation, { method, scope }: Route, types: string[], form: Form): Code[] {
  const has = (type: string) => types.includes(type);
  const isForm = has('multipart/form-data');
  return [
    ...(own[operationId] ?? []),
    ...(scope === 'public' ? [] : (['unauthorized', 'forbidden', 'rate_limited', 'unavailable'] as const)),
    ...(method === 'get' ? [] : (['foreign_origin'] as const)),
    ...(types.length > 0 ? (['malformed_body', 'too_large', 'request_timeout'] as const) : []),
    // Only /v1 cares what a body calls itself: the others take one of another kind for none.
    ...(types.length > 0 && form === 'problem' ? (['unsupported_media_type'] as const) : []),
    ...(isForm ? files : []),
    // To the others a file is a field like any other.
    ...(isForm && form !== 'detail' ? (['no_file'] as const) : []),
    ...(has('text/csv') ? catalogs : []),
    // /livez answers also who is too many.
    ...(operationId === 'livez' ? [] : (['overloaded'] as const)),
  ];
}

/** A problem as its route might find it: its sentence in general words. */
const sampleOf = (code: Code): Problem => new Problem(code, entryOf(code).title);

function faultAt(part: 'path' | 'query' | 'body', name: string, type: string, message: string): Possible {
  return {
    found: problem('invalid_request', {}, { faults: [{ type, loc: [part, name], message }] }),
    name: `_${part}`,
  };
}

const plain = (type: string): string => type.split(';', 1)[0] ?? type;
const list = (codes: Set<Code>): string => [...codes].map((code) => `\`${code}\``).join(', ');
