// contents.ts — reads what POST /v1/batches was sent, whatever kind of body it has, into the batch that it asks for.
//
// A JSON list, a form with pictures or one CSV, the bare CSV, an upload from before, the sample: the checks come in the same
// order for all. What a request has stored goes again when it is refused, so each reading says how to undo it.

import type { App } from '../../app.ts';
import { discardReceived, receiveCatalog } from '../../batches/intake.ts';
import type { NewBatch, NewImage } from '../../batches/model.ts';
import {
  discardFiles,
  findUpload,
  receiveFile,
  surveyUpload,
  type JudgedCatalog,
  type ReceivedFile,
} from '../../batches/uploads.ts';
import { callerOf, type Ask } from '../../http/http.ts';
import { dropFiles, readForm, type FormFile } from '../../http/multipart.ts';
import { problem, Problem, problemSaying, type Fault } from '../../problem.ts';
import { sampleCatalog } from '../../samples/catalog.ts';
import { readCatalogRequest } from '../catalog-request.ts';
import { imagesOf, invalid, readBeside, readJson, renditionsOf, webhookOf, type Beside } from './submission.ts';

type Made = Pick<NewBatch, 'name' | 'renditions' | 'webhook'> & {
  content: { images: NewImage[] } | { catalog: JudgedCatalog };
};

export type Content = {
  /** Only told what the batch would be (`?dry_run=true`). */
  isRehearsal: boolean;
  batch: Made;
  /** What makes two requests the same: hashes stand for files, whose names are new each time. */
  meaning: unknown;
  undo(): Promise<void>;
};

/** Names under which a form may send its files; the first is the documented one. */
export const fileFields = ['file', 'files', 'images', 'image', 'csv_file', 'csvFile', 'csv'];

export async function readContent(app: App, request: Ask): Promise<Content> {
  const type = (request.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
  const { dry_run: isRehearsal = false } = request.query as Beside;
  if (type === 'application/json') return { isRehearsal, ...(await contentOfJson(app, request)) };
  return request.isMultipart() ? contentOfForm(app, request) : contentOfCsv(app, request);
}

async function contentOfJson(app: App, request: Ask): Promise<Omit<Content, 'isRehearsal'>> {
  const sent = readJson(request);
  const { images, catalog, sample, strict = false } = sent;
  const kinds = [images, catalog, sample === true || undefined].filter((each) => each !== undefined);
  if (kinds.length !== 1) throw invalid([], 'Exactly one of images, catalog and sample is needed.');
  const beside = { ...webhookOf(app, sent.webhook_url), renditions: renditionsOf(app, sent) };
  const { sees } = callerOf(request);
  if (images) {
    const named = sent.name === undefined ? {} : { name: sent.name };
    return content({ content: { images: await imagesOf(app, images, sees) }, ...beside, ...named });
  }
  if (catalog) {
    const upload = await findUpload(app, catalog.upload, sees);
    if (upload?.kind !== 'catalog') throw problem('unknown_upload', { name: catalog.upload });
    const judged = await surveyUpload(app, upload);
    refuseInvalid(judged, strict);
    return content({ content: { catalog: judged }, ...beside, ...nameOr(sent.name, upload.label) });
  }
  const received = await receiveCatalog(app, sampleStream(app.config.publicUrl), { required: 'urls' });
  const undo = () => discardReceived(app, received.file);
  return content({ content: { catalog: received }, ...beside, name: sent.name ?? 'Sample catalog' }, undo);
}

async function* sampleStream(publicUrl: string): AsyncGenerator<Buffer> {
  yield Buffer.from(sampleCatalog(publicUrl));
}

/** A form: all of its files are pictures, or its one file is a CSV. */
async function contentOfForm(app: App, request: Ask): Promise<Content> {
  const { owner } = callerOf(request);
  const drop = (file: ReceivedFile) => discardFiles(app, [file]);
  const { fields, files } = await readForm(request, {
    files: fileFields,
    maxFiles: app.config.maxFiles,
    maxBytes: app.config.maxRequest,
    keep: (source, label) => receiveFile(app, source, { owner, label }),
    drop,
  });
  const undo = () => dropFiles(files, { drop });
  try {
    const beside = readBeside(request, fields);
    if (files.length === 0) throw problem('no_file');
    const { strict = false, dry_run: isRehearsal = false, name } = beside;
    const made = besideOf(app, beside);
    const { images, hashes, catalog } = judgeFiles(files);
    if (!catalog) return { isRehearsal, ...content({ ...made, content: { images } }, undo, hashes) };
    refuseInvalid(catalog.judged, strict);
    const batch = { ...made, content: { catalog: catalog.judged }, ...nameOr(name, catalog.name) };
    return { isRehearsal, ...content(batch, undo) };
  } catch (error) {
    await undo();
    throw error;
  }
}

async function contentOfCsv(app: App, request: Ask): Promise<Content> {
  const { catalog } = await readCatalogRequest(app, request, 'urls');
  const received = catalog instanceof Problem ? undefined : catalog;
  const undo = async () => {
    if (received) await discardReceived(app, received.file);
  };
  try {
    const beside = readBeside(request, undefined);
    if (catalog === undefined) throw unknownBody();
    const { strict = false, dry_run: isRehearsal = false } = beside;
    const made = besideOf(app, beside);
    if (catalog instanceof Problem) throw catalog;
    refuseInvalid(catalog, strict);
    return { isRehearsal, ...content({ ...made, content: { catalog } }, undo) };
  } catch (error) {
    await undo();
    throw error;
  }
}

function unknownBody(): Problem {
  return problem('unsupported_media_type', { accepted: 'application/json, multipart/form-data or text/csv' });
}

function besideOf(app: App, beside: Beside): Omit<Made, 'content'> {
  const webhook = webhookOf(app, beside.webhook_url);
  return { ...webhook, renditions: renditionsOf(app, beside), ...nameOr(beside.name, null) };
}

function nameOr(name: string | undefined, fallback: string | null): { name?: string } {
  const shown = name ?? (fallback || undefined);
  return shown === undefined ? {} : { name: shown };
}

/** Throws every file that is refused at once, and a CSV that did not come alone. */
function judgeFiles(files: FormFile<ReceivedFile>[]) {
  refuseRefused(files);
  const images: NewImage[] = [];
  const hashes: string[][] = [];
  const catalogs: { judged: JudgedCatalog; name: string }[] = [];
  for (const { name, ...file } of files) {
    if ('refused' in file) continue;
    if ('catalog' in file.kept) {
      catalogs.push({ judged: file.kept.catalog, name });
      continue;
    }
    const { upload, sha256 } = file.kept.picture;
    images.push({ source: { upload }, ...(name && { name }) });
    hashes.push([name, sha256.toString('hex')]);
  }
  const [catalog] = catalogs;
  if (catalog && files.length > 1)
    throw problemSaying('one_file_only', 'A CSV is the only file of its request: send the others by themselves.');
  return { images, hashes, catalog };
}

/** Throws when files of a form were refused: the problem of the first, with the reason of each. */
export function refuseRefused(files: FormFile<ReceivedFile>[]): void {
  const bad = files.flatMap((file, index) => ('refused' in file ? [{ ...file, index }] : []));
  const [first] = bad;
  if (!first) return;
  if (files.length === 1) throw first.refused;
  const faults = bad.slice(0, 100).map(({ name, index, refused }): Fault => {
    const message = name ? `${name}: ${refused.message}` : refused.message;
    return { type: 'value_error', loc: ['body', 'file', index], message };
  });
  throw problemSaying(first.refused.code, faults[0]?.message ?? '', { ...first.refused.facts, faults });
}

function refuseInvalid({ invalid: bad }: JudgedCatalog, strict: boolean): void {
  if (!strict || bad.length === 0) return;
  const faults = bad.slice(0, 100).map(({ line, column, message, value }) => ({
    type: 'url_parsing',
    loc: ['body', 'file', line, column ?? 'urls'],
    message: message ?? 'This is not a URL.',
    input: value,
  }));
  throw problem('invalid_request', {}, { faults });
}

/** A catalog means what its bytes mean, and so do pictures that came in a form (`means`). */
function content(batch: Made, undo: () => Promise<void> = async () => {}, means?: unknown) {
  const bytes = 'catalog' in batch.content ? batch.content.catalog.sha256.toString('hex') : means;
  return { batch, meaning: { ...batch, content: bytes ?? batch.content }, undo };
}
