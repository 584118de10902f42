// catalog-request.ts — reads a request that brings a catalog: as a form, as JSON, or as the bare CSV.
//
// README B draws JSON and its clients send forms; spreadsheets and scripts post the file itself. The type of a part and
// the name of a file say nothing: the bytes do. What is read here is judged by the caller, because a bad webhook URL is
// told before a bad CSV although the CSV has been read by then.

import { Readable } from 'node:stream';
import type { Uses } from '../app.ts';
import { discardReceived, receiveCatalog } from '../batches/intake.ts';
import type { ReceivedCatalog } from '../batches/model.ts';
import type { CatalogProblem } from '../catalogs/catalog.ts';
import { problem, problemSaying, type Problem } from '../problem.ts';
import { problemFrom } from '../http/faults.ts';
import type { Ask } from '../http/http.ts';
import { dropFiles, readForm, type FormFile } from '../http/multipart.ts';

export type Received = ReceivedCatalog & { invalid: CatalogProblem[] };
/** A field with the place it came from. */
export type Given = { text: string; where: 'body' | 'query' };

export type CatalogRequest = {
  /** The catalog, or why it is none; absent when no file was sent. */
  catalog?: Received | Problem;
  name?: string;
  webhookUrl?: Given;
  webhookFormat?: Given;
  /** All fields of the form, where it was one. */
  fields?: Map<string, string[]>;
};

const fileFields = ['file', 'csv_file', 'csvFile', 'csv'] as const;
const urlFields = ['webhook_url', 'webhookUrl', 'callback_url'];
const formatFields = ['webhook_format'];
const rawTypes = new Set(['text/csv', 'text/plain', 'application/vnd.ms-excel', 'application/octet-stream']);

/** Reads the body, whatever form it has; throws what is wrong with the body itself. Nothing is kept then. */
export async function readCatalogRequest(
  app: Uses<'storage' | 'config'>,
  request: Ask,
  required: 'all' | 'urls',
): Promise<CatalogRequest> {
  const type = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  const keep = (source: AsyncIterable<Buffer>) => receiveCatalog(app, source, { required });
  if (request.isMultipart()) return fromForm(app, request, keep);
  if (type === 'application/json') return fromJson(request, keep);
  if (!rawTypes.has(type)) return fieldsOf(request, () => undefined);
  const catalog = await keep(request.raw).catch(problemFrom);
  return { ...fieldsOf(request, () => undefined), catalog };
}

type Keep = (source: AsyncIterable<Buffer>) => Promise<Received>;

async function fromForm(app: Uses<'storage' | 'config'>, request: Ask, keep: Keep): Promise<CatalogRequest> {
  const drop = (received: Received) => discardReceived(app, received.file);
  const { fields, files } = await readForm(request, {
    files: fileFields,
    maxFiles: fileFields.length,
    maxBytes: app.config.maxRequest,
    keep,
    drop,
  });
  const field = fileFields.find((name) => files.some((file) => file.field === name));
  const [chosen, second] = files.filter((file) => file.field === field);
  const rest = files.filter((file) => file !== chosen);
  await dropFiles(rest, { drop });
  if (second) {
    if (chosen) await dropFiles([chosen], { drop });
    const sentence = `Only one file is taken in "${field}".`;
    const fault = { type: 'value_error', loc: ['body', field ?? 'file'], message: sentence };
    throw problemSaying('one_file_only', sentence, { faults: [fault] });
  }
  const read = fieldsOf(request, (name) => fields.get(name)?.find((text) => text.trim() !== ''));
  return { ...read, fields, ...(chosen && { catalog: outcome(chosen), ...(chosen.name && { name: chosen.name }) }) };
}

const outcome = (file: FormFile<Received>): Received | Problem => ('kept' in file ? file.kept : file.refused);

async function fromJson(request: Ask, keep: Keep): Promise<CatalogRequest> {
  const body = Object(request.body ?? {}) as Record<string, unknown>;
  const read = fieldsOf(request, (name) => textOf(body[name], name));
  const name = fileFields.find((field) => body[field] !== undefined && body[field] !== null && body[field] !== '');
  const text = name && textOf(body[name], name);
  if (!text) return read;
  return { ...read, catalog: await keep(Readable.from([bytesOf(text)])).catch(problemFrom) };
}

/** CSV text as it is, or the content of a `data:` URI. */
function bytesOf(text: string): Buffer {
  const [, base64, data] = /^data:[^,]{0,200}?(;base64)?,([^]*)$/i.exec(text) ?? [];
  if (data === undefined) return Buffer.from(text);
  if (base64) return Buffer.from(data, 'base64');
  try {
    return Buffer.from(decodeURIComponent(data));
  } catch {
    throw problemSaying('malformed_body', 'The data: URI is not well formed.');
  }
}

function textOf(value: unknown, name: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return value;
  const fault = { type: 'string_type', loc: ['body', name], message: 'Input should be a valid string' };
  throw problem('invalid_request', {}, { faults: [fault] });
}

/** The fields beside the file: the form or JSON before the query, the first alias before the others. */
function fieldsOf(request: Ask, inBody: (name: string) => string | undefined): CatalogRequest {
  const query = request.query as Record<string, unknown>;
  const find = (names: string[]): Given | undefined => {
    for (const name of names) {
      const text = inBody(name)?.trim();
      if (text) return { text, where: 'body' };
    }
    for (const name of names) {
      const text = [query[name]].flat().find((each) => typeof each === 'string' && each.trim() !== '');
      if (typeof text === 'string') return { text: text.trim(), where: 'query' };
    }
    return undefined;
  };
  const [webhookUrl, webhookFormat] = [find(urlFields), find(formatFields)];
  return { ...(webhookUrl && { webhookUrl }), ...(webhookFormat && { webhookFormat }) };
}
