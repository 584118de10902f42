// multipart.ts — reads forms: files stream to whoever keeps them, fields may stand before or after.
//
// Nothing is decided before the end of the form, because a field behind the file may refuse it; a file that was refused
// is remembered with its reason, so that the checks keep their order. A form that breaks off leaves nothing behind.

import multipart from '@fastify/multipart';
import { problem, problemSaying, type Code, type Problem } from '../problem.ts';
import { problemFrom, problemOfForm } from './faults.ts';
import type { Ask, Http } from './http.ts';

export type FormFile<Kept> = { field: string; name: string } & ({ kept: Kept } | { refused: Problem });
export type Form<Kept> = { fields: Map<string, string[]>; files: FormFile<Kept>[] };

export type FormReader<Kept> = {
  /** Names of the fields that are files, whether or not a part claims to be one. Other files are passed over. */
  files: readonly string[];
  maxFiles: number;
  maxBytes: number;
  keep(source: AsyncIterable<Buffer>, name: string): Promise<Kept>;
  /** Takes back what was kept, when the rest of the form turns out broken. */
  drop(kept: Kept): Promise<void>;
};

/** Reasons that end the reading at once: the rest of such a form is not worth receiving. */
const hopeless = new Set<Code>([
  'malformed_body',
  'too_large',
  'too_many_rows',
  'storage_full',
  'unavailable',
  'internal',
]);

export async function registerForms(http: Http): Promise<void> {
  await http.register(multipart, {
    throwFileSizeLimit: false,
    limits: { fieldNameSize: 200, fieldSize: 64 * 1024, fields: 20, headerPairs: 50 },
  });
}

/** Reads the whole form of a request whose type is multipart/form-data. */
export async function readForm<Kept>(request: Ask, reader: FormReader<Kept>): Promise<Form<Kept>> {
  const form: Form<Kept> = { fields: new Map(), files: [] };
  refuseTooLong(request, reader.maxBytes);
  try {
    await readParts(request, reader, form);
    return form;
  } catch (error) {
    // What still comes in is thrown away, or the sender would never get to read the answer.
    request.raw.unpipe();
    request.raw.resume();
    await dropFiles(form.files, reader);
    throw problemOfForm(error);
  }
}

/** Takes back every file of the form that was kept. */
export async function dropFiles<Kept>(files: FormFile<Kept>[], reader: Pick<FormReader<Kept>, 'drop'>): Promise<void> {
  for (const file of files) if ('kept' in file) await reader.drop(file.kept);
}

async function readParts<Kept>(request: Ask, reader: FormReader<Kept>, form: Form<Kept>): Promise<void> {
  let bytes = 0;
  const count = (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > reader.maxBytes) throw tooLong();
  };
  const parts = request.parts({
    // Infinity: `keep` knows its own limit and names the setting.
    limits: { fileSize: Infinity, files: reader.maxFiles + 5, parts: reader.maxFiles + 30 },
    isPartAFile: (field, type, name) =>
      name !== undefined || type === 'application/octet-stream' || reader.files.includes(field ?? ''),
  });
  for await (const part of parts) {
    if (part.type === 'field') {
      if (part.valueTruncated) throw problemSaying('too_large', 'A field of the form is larger than 64 kB.');
      const values = form.fields.get(part.fieldname) ?? [];
      form.fields.set(part.fieldname, [...values, fieldText(part.value)]);
      continue;
    }
    const chunks = part.file.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>;
    const file = reader.files.includes(part.fieldname) && (await readFile(chunks, part, reader, count));
    if (file) form.files.push(file);
    if (file && 'refused' in file && hopeless.has(file.refused.code)) throw file.refused;
    if (form.files.length > reader.maxFiles)
      throw problem('too_many_files', { limit: reader.maxFiles, setting: 'DARKROOM_MAX_FILES' });
    for await (const rest of part.file) count(rest as Buffer);
  }
}

async function readFile<Kept>(
  chunks: AsyncIterator<Buffer>,
  part: { fieldname: string; filename: string | undefined },
  reader: FormReader<Kept>,
  count: (chunk: Buffer) => void,
): Promise<FormFile<Kept> | undefined> {
  const first = await chunks.next();
  const name = shownName(part.filename ?? '');
  // An empty <input type="file"> is sent as a part without name and bytes.
  if (first.done && !name) return undefined;
  async function* source() {
    // A form that breaks off is the sender's fault; whatever else `keep` throws may be ours.
    const more = () => chunks.next().catch((error: unknown) => Promise.reject(problemOfForm(error)));
    for (let next = first; !next.done; next = await more()) {
      count(next.value);
      yield next.value;
    }
  }
  try {
    return { field: part.fieldname, name, kept: await reader.keep(source(), name) };
  } catch (error) {
    return { field: part.fieldname, name, refused: problemFrom(error) };
  }
}

/** A file name as it may be shown: its last component, without control and direction characters, at most 255 long. */
export function shownName(name: string): string {
  const last = name.toWellFormed().split(/[/\\]/).at(-1) ?? '';
  return last
    .replaceAll(/[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '')
    .trim()
    .slice(0, 255);
}

function refuseTooLong(request: Ask, limit: number): void {
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLong();
}

const tooLong = () => problemSaying('too_large', 'The request is larger than DARKROOM_MAX_REQUEST allows.');

// The form parser reads a field that calls itself JSON; its text is wanted here.
const fieldText = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
