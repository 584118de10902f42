// tasks-request.ts — reads the form of a task: a picture and the sides it shall have.
//
// The fields may stand behind the file, so nothing is decided before the end of the form. What is wrong with the fields is
// told before what is wrong with the picture, and whatever is refused keeps nothing.

import type { App } from '../app.ts';
import { discardUpload, receiveUpload } from '../batches/intake.ts';
import type { Ask } from '../http/http.ts';
import { dropFiles, readForm, type Form, type FormReader } from '../http/multipart.ts';
import { checked } from '../http/validate.ts';
import { parsePipeline } from '../imaging/grammar.ts';
import { Problem, problem, problemSaying, type Fault } from '../problem.ts';
import { gather, type ImageOrder } from './image-submit.ts';
import type { taskFields } from './tasks-schemas.ts';

type Upload = Awaited<ReturnType<typeof receiveUpload>>;
type Sides = { width: number | null; height: number | null; preserve_ratio: boolean };
/** What the first answer repeats. */
export type Task = ImageOrder & { sides: Sides };

const fileField = 'file';

export async function readTask(app: App, request: Ask, schema: ReturnType<typeof taskFields>): Promise<Task> {
  const reader: FormReader<Upload> = {
    files: [fileField],
    // One is taken; the others are read so that the answer can say so.
    maxFiles: 10,
    maxBytes: app.config.maxRequest,
    keep: (source) => receiveUpload(app, source),
    drop: ({ upload }) => discardUpload(app, upload),
  };
  const nothing: Form<Upload> = { fields: new Map(), files: [] };
  const form = request.isMultipart() ? await readForm(request, reader) : nothing;
  try {
    return judge(app, form, schema, () => dropFiles(form.files, reader));
  } catch (error) {
    await dropFiles(form.files, reader);
    throw error;
  }
}

function judge(
  app: App,
  { fields, files }: Form<Upload>,
  schema: ReturnType<typeof taskFields>,
  undo: () => Promise<void>,
): Task {
  const [file, second] = files;
  if (second) throw oneFileOnly();
  const faults: Fault[] = file ? [] : [missing(fileField)];
  const sides = gather(faults, () => readSides(fields, schema));
  const recipe = sides && gather(faults, () => recipeOf(app, sides));
  if (!file || !sides || !recipe) throw problem('invalid_request', {}, { faults });
  if ('refused' in file) throw file.refused;
  const { upload, sha256 } = file.kept;
  const image = { source: { upload }, ...(file.name && { name: file.name }) };
  return { image, recipe, sides, meaning: { sha256: sha256.toString('hex'), ...sides }, undo };
}

function readSides(fields: Form<Upload>['fields'], schema: ReturnType<typeof taskFields>): Sides {
  const sent: Record<string, unknown> = {};
  for (const name of Object.keys(schema.properties)) {
    const text = fields.get(name)?.find((each) => each.trim() !== '');
    if (text !== undefined) sent[name] = name === 'preserve_ratio' ? readWord(text) : text.trim();
  }
  const { width = null, height = null, preserve_ratio = true } = checked(schema, sent, 'form');
  if (width === null && height === null) throw problem('invalid_request', {}, { faults: [missing('width')] });
  return { width, height, preserve_ratio };
}

/** The words for true and false of the form that E's clients were written for. */
function readWord(text: string): boolean | string {
  const word = text.trim().toLowerCase();
  if (['true', '1', 'yes', 'on', 't', 'y'].includes(word)) return true;
  return ['false', '0', 'no', 'off', 'f', 'n'].includes(word) ? false : text;
}

function recipeOf({ config }: Pick<App, 'config'>, { width, height, preserve_ratio }: Sides) {
  const box = `${width ?? ''}x${height ?? ''}`;
  const text = preserve_ratio ? `fit:${box}:enlarge=true` : `stretch:${box}`;
  try {
    return parsePipeline(text, { maxOutputSide: config.maxOutputSide, effort: config.effort });
  } catch (error) {
    // Each side is within its bounds; the picture as a whole may still be too large.
    if (!(error instanceof Problem)) throw error;
    const fault = { type: 'value_error', loc: ['body', 'width'], message: error.message };
    throw problemSaying(error.code, error.message, { faults: [fault] });
  }
}

const missing = (name: string): Fault => ({ type: 'missing', loc: ['body', name], message: 'Field required' });

function oneFileOnly(): Problem {
  const sentence = `Only one file is taken in "${fileField}".`;
  const fault = { type: 'value_error', loc: ['body', fileField], message: sentence };
  return problemSaying('one_file_only', sentence, { faults: [fault] });
}
