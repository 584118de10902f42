// docs-examples.ts — an example of everything that is sent and answered, made from its schema.
//
// A schema that has examples gives its first. Else values stand for their kind, and for their name where a name says more.

export type Schema = {
  type?: string | string[];
  format?: string;
  pattern?: string;
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  examples?: unknown[];
  minimum?: number;
  anyOf?: Schema[];
  items?: Schema;
  properties?: Record<string, Schema>;
  patternProperties?: Record<string, Schema>;
  required?: string[];
};

const uuid = '0199a3c4-5b1e-7c3d-9f00-2b7c8f1e4a55';
const moment = '2026-01-31T12:00:00.000Z';
const base = 'https://darkroom.example.com';
const file = 'k3v7q2mzt4w5x6y7a2b3c4d5e6.jpg';

/** What a text of this name holds. */
const texts: Record<string, string> = {
  name: 'catalog.csv',
  surface: 'native',
  url: 'https://cdn.example.com/17.jpg',
  source_url: 'https://cdn.example.com/17.jpg',
  webhook_url: 'https://shop.example.com/hook',
  webhook_id: `msg_${uuid}`,
  resultUrl: `${base}/processed_images/${file}`,
  output_csv_url: `${base}/download/${uuid}`,
  image: `/media/images/${file}`,
  host: 'cdn.example.com',
  slowest_host: 'cdn.example.com',
  media_type: 'image/jpeg',
  content_type: 'image/jpeg',
  sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  upload: file,
  pipeline: 'fit:1600x/webp:80',
  canonical: 'fit:1600x/webp:80',
  preset: 'catalog',
  cursor: 'WyJhYmMiLDE3XQ',
  next_cursor: 'WyJhYmMiLDE3XQ',
  code: 'not_found',
  event_type: 'batch.finished',
  types: 'batch.finished,image.failed',
  after: '48213',
  next_after: '48213',
  message: 'The host has no such picture.',
  upload_time: '0.3 seconds',
  prefix: 'drk_k3v7q2mz',
  owner: 'shop',
  worker: 'host-4711-1',
  outcome: 'succeeded',
  job_id: uuid,
  file: '(bytes)',
  data: '/9j/4AAQSkZJRg==',
};

/** What there is nothing of in a good case. */
const absent = new Set([
  'error',
  'errorMessage',
  'remedy',
  'expires_at',
  'failed_csv_url',
  'revoked_at',
  'disabled_at',
]);

export function exampleOf(schema: object | undefined, name = ''): unknown {
  const { examples, const: only, default: usual, enum: words, anyOf, ...rest }: Schema = schema ?? {};
  if (examples && examples.length > 0) return examples[0];
  if (only !== undefined) return only;
  if (usual !== undefined) return usual;
  if (words && words.length > 0) return words.find((word) => word === 'succeeded' || word === 'completed') ?? words[0];
  if (anyOf) return ofSeveral(anyOf, name);
  return ofKind(rest, name);
}

function ofSeveral(kinds: Schema[], name: string): unknown {
  const nothing = kinds.some(({ type }) => type === 'null');
  const [first] = kinds.filter(({ type }) => type !== 'null');
  return nothing && (absent.has(name) || !first) ? null : exampleOf(first, name);
}

function ofKind({ type, ...schema }: Schema, name: string): unknown {
  if (type === 'object') return ofObject(schema);
  if (type === 'array') return [exampleOf(schema.items, singular(name))];
  if (type === 'boolean') return name !== 'auth_required' && name !== 'silent' && name !== 'kept_original';
  if (type === 'integer' || type === 'number') return Math.max(schema.minimum ?? 1, numbers[name] ?? 1);
  if (type === 'null' || type === undefined) return null;
  return ofText(schema, name);
}

const numbers: Record<string, number> = {
  limit: 50,
  status: 200,
  width: 800,
  height: 600,
  bytes: 457_728,
  size: 256,
  percent: 100,
  wait: 10,
  ms: 41,
};

function ofText({ format, pattern }: Schema, name: string): string {
  if (format === 'binary') return '(bytes)';
  if (format === 'date-time' || /_at$|^at$|_after$|_before$|_until$|^since$/.test(name)) {
    if (pattern === undefined && name !== 'next_after') return moment;
  }
  if (format === 'uuid' || /(^|_)id$|^.*Id$/.test(name)) return texts[name] ?? uuid;
  if (format === 'uri') return name in links ? `${base}${links[name]}` : `${base}/v1/files/${file}`;
  return texts[name] ?? 'text';
}

const links: Record<string, string> = {
  self: `/v1/batches/${uuid}`,
  images: `/v1/batches/${uuid}/images`,
  batch: `/v1/batches/${uuid}`,
  page: `/batches/${uuid}`,
};

function ofObject({ properties, patternProperties }: Schema): Record<string, unknown> {
  const made = Object.entries(properties ?? {}).map(([key, inner]) => [key, exampleOf(inner, key)] as const);
  const [any] = Object.values(patternProperties ?? {});
  return { ...Object.fromEntries(made), ...(any && { default: exampleOf(any, 'pipeline') }) };
}

const singular = (name: string): string => name.replace(/s$/, '');
