// submission.ts — reads what POST /v1/batches was sent: a JSON list, a form with a CSV, or the CSV itself.
//
// Three kinds of body become one `Submission`; faults are told all at once, with a pointer to each.

import type { App } from '../../app.ts';
import type { NewBatch, NewImage, Rendition } from '../../batches/model.ts';
import { findUpload } from '../../batches/uploads.ts';
import { checked } from '../../http/validate.ts';
import type { Ask } from '../../http/http.ts';
import { parsePipeline, type PipelineOptions } from '../../imaging/grammar.ts';
import { pipelinesByName, presetsOf } from '../../imaging/presets.ts';
import { problem, Problem, problemSaying, type Fault } from '../../problem.ts';
import { checkWebhook, defaultRendition } from '../catalog-submit.ts';
import { besideFile, newBatch } from './schemas.ts';

export type Beside = ReturnType<typeof readBeside>;

/** The fields that stand beside a CSV, from its form and the query. */
export function readBeside(request: Ask, form: Map<string, string[]> | undefined) {
  const sent: Record<string, unknown> = { ...(request.query as object) };
  for (const [name, values] of form ?? []) {
    const text = values.find((each) => each.trim() !== '');
    if (text !== undefined) sent[name] = name === 'renditions' || text.startsWith('[') ? parsed(text, name) : text;
  }
  return checked(besideFile, sent, 'form');
}

export const readJson = (request: Ask) => checked(newBatch, request.body, 'body');

/** What is to be done: `pipeline`, `renditions`, or the pipeline of the settings. */
export function renditionsOf(
  app: Pick<App, 'config'>,
  sent: Pick<Beside, 'pipeline' | 'renditions' | 'preset'>,
): Rendition[] {
  const { pipeline, renditions, preset } = sent;
  if ([pipeline, renditions, preset].filter((each) => each !== undefined).length > 1)
    throw invalid(['pipeline'], 'Only one of pipeline, renditions and preset may be given.');
  if (preset !== undefined) {
    const found = grammarOf(app).presets?.get(preset);
    if (found === undefined) throw problem('unknown_preset', { name: preset });
    return [{ name: 'default', recipe: recipeAt(app, found, ['preset']) }];
  }
  if (renditions === undefined && pipeline === undefined) return [defaultRendition(app)];
  if (renditions === undefined) return [{ name: 'default', recipe: recipeAt(app, pipeline, ['pipeline']) }];
  const named = Object.entries(renditions);
  if (named.length < 1 || named.length > 10) throw invalid(['renditions'], 'One to ten renditions are taken.');
  return named.map(([name, text]) => {
    if (!/^[a-z0-9_-]{1,32}$/.test(name))
      throw invalid(['renditions', name], 'A name is 1 to 32 of the characters a-z, 0-9, "_" and "-".');
    return { name, recipe: recipeAt(app, text, ['renditions', name]) };
  });
}

/** What pipelines may say here: the limits of the settings, and presets by their names. */
export function grammarOf({ config }: Pick<App, 'config'>): PipelineOptions {
  const { maxOutputSide, effort } = config;
  return { maxOutputSide, effort, presets: pipelinesByName(presetsOf(config)) };
}

function recipeAt(app: Pick<App, 'config'>, pipeline: unknown, place: string[]) {
  try {
    return parsePipeline(pipeline, grammarOf(app));
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    // The grammar calls its place "pipeline"; here it may be one of several.
    const faults = (error.facts.faults ?? []).map((each) => ({
      ...each,
      loc: ['body', ...place, ...each.loc.slice(1)],
    }));
    throw problemSaying(error.code, error.message, { ...error.facts, ...(faults.length > 0 && { faults }) });
  }
}

export function webhookOf(app: Pick<App, 'egress'>, url: string | undefined): Pick<NewBatch, 'webhook'> {
  if (!url?.trim()) return {};
  checkWebhook(app, { text: url.trim(), where: 'body' }, 'webhook_url');
  return { webhook: { url: url.trim() } };
}

type SentImage = NonNullable<ReturnType<typeof readJson>['images']>[number];

/** The images of a list. A URL that can never be fetched refuses the list: whoever writes JSON can mend it. */
export async function imagesOf(
  app: Pick<App, 'egress' | 'db'>,
  sent: SentImage[],
  sees: string | undefined,
): Promise<NewImage[]> {
  const faults: Fault[] = [];
  const images: NewImage[] = [];
  for (const [index, { source, ref, product }] of sent.entries()) {
    const place = ['body', 'images', index, 'source'];
    const found = await sourceOf(app, { ...source, sees }, place, faults);
    if (!found) continue;
    const named = product && { product: { serial: product.serial_number, name: product.name } };
    images.push({ ...found, ...(ref !== undefined && { ref }), ...named });
  }
  if (faults.length > 0) throw problem('invalid_request', {}, { faults: faults.slice(0, 100) });
  return images;
}

async function sourceOf(
  app: Pick<App, 'egress' | 'db'>,
  { url, upload, sees }: SentImage['source'] & { sees: string | undefined },
  loc: Fault['loc'],
  faults: Fault[],
): Promise<Pick<NewImage, 'source' | 'name'> | undefined> {
  if ((url === undefined) === (upload === undefined)) {
    faults.push({ type: 'value_error', loc, message: 'Exactly one of url and upload is needed.' });
    return undefined;
  }
  try {
    if (url !== undefined) return { source: { url: app.egress.check(url.trim(), 'source').href } };
    const file = await findUpload(app, upload ?? '', sees);
    if (file?.kind !== 'source') throw problem('unknown_upload', { name: upload ?? '' });
    return { source: { upload: file.name }, ...(file.label !== null && { name: file.label }) };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    faults.push({ type: 'value_error', loc, message: error.message, ...(url !== undefined && { input: url }) });
    return undefined;
  }
}

function parsed(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw invalid([name], 'This is not JSON.');
  }
}

export function invalid(place: (string | number)[], message: string): Problem {
  const fault = { type: 'value_error', loc: ['body', ...place], message };
  return problemSaying('invalid_request', message, { faults: [fault] });
}
