// images-request.ts — reads the body of a job: a URL and transformations, every fault told at once.

import { isDeepStrictEqual } from 'node:util';
import type { App, Uses } from '../app.ts';
import type { Rendition } from '../batches/model.ts';
import type { Ask } from '../http/http.ts';
import { checked } from '../http/validate.ts';
import { describeOperations, parsePipeline } from '../imaging/grammar.ts';
import { pipelinesByName, presetsOf } from '../imaging/presets.ts';
import { Problem, problem, problemSaying, type Fault } from '../problem.ts';
import { urlFaultType } from './catalog-submit.ts';
import { gather, type ImageOrder } from './image-submit.ts';
import { processRequest } from './images-schemas.ts';

/** Throws `blocked_address` when that is the only fault, else `invalid_request` with all of them. */
export function readJob(app: App, request: Ask): ImageOrder {
  refuseOtherTypes(request);
  const faults: Fault[] = [];
  gather(faults, () => checked(processRequest, request.body, 'body'));
  // What is of the right type is judged even where the rest is not.
  const { imageUrl, transformations } = Object(request.body ?? {}) as Record<string, unknown>;
  const blocked: Problem[] = [];
  const url = typeof imageUrl === 'string' ? gather(faults, () => judgeUrl(app, imageUrl, blocked)) : undefined;
  const recipe = gather(faults, () => recipeOf(app, Array.isArray(transformations) ? transformations : []));
  const [only] = blocked;
  if (only && faults.length === 1) throw only;
  if (faults.length > 0 || url === undefined || recipe === undefined)
    throw problem('invalid_request', {}, { faults: faults.slice(0, 100) });
  return { image: { source: { url } }, recipe, meaning: { url, recipe }, undo: async () => {} };
}

/** A body that does not call itself JSON has not been read at all. */
function refuseOtherTypes({ body, headers }: Ask): void {
  const { 'content-length': length = '0', 'transfer-encoding': coding } = headers;
  if (body !== undefined || (length === '0' && coding === undefined)) return;
  if (/^application\/json\b/i.test(headers['content-type'] ?? '')) return;
  const message = 'JSON decode error: the body must be JSON, with content-type: application/json';
  throw problem('invalid_request', {}, { faults: [{ type: 'json_invalid', loc: ['body'], message }] });
}

function judgeUrl({ egress }: Uses<'egress'>, text: string, blocked: Problem[]): string {
  try {
    return egress.check(text.trim(), 'source').href;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const input = text.slice(0, 200);
    const fault = { type: urlFaultType(text.trim(), error), loc: ['body', 'imageUrl'], message: error.message, input };
    const found = problemSaying(error.code, error.message, { ...error.facts, faults: [fault] });
    if (error.code === 'blocked_address') blocked.push(found);
    throw found;
  }
}

/** Which names ask for an output: then the result is what they say, else PNG. */
const outputNames = new Set(
  describeOperations({ maxOutputSide: 1 })
    .filter(({ kind }) => kind === 'output')
    .flatMap(({ name, aliases }) => [name, ...aliases]),
);

function recipeOf({ config }: Pick<App, 'config'>, sent: unknown[]): Rendition['recipe'] {
  const { maxOutputSide, effort } = config;
  const presets = pipelinesByName(presetsOf(config));
  const read = (pipeline: unknown) => parsePipeline(pipeline, { maxOutputSide, effort, presets });
  // Items of other types are faults already; the places of the rest are those of the whole list.
  const places = sent.flatMap((each, index) => (typeof each === 'string' ? [index] : []));
  const texts = sent.filter((each) => typeof each === 'string');
  try {
    const recipe = read(texts);
    const asked = texts.some(namesOutput) || !isDeepStrictEqual(recipe.out, read([]).out);
    return asked ? recipe : { ...recipe, out: read('png').out };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const told = error.facts.faults ?? [{ type: 'value_error', loc: ['pipeline'], message: error.message }];
    const faults = told.map(({ loc: [, item, ...rest], ...fault }) => {
      const place = typeof item === 'number' ? [places[item] ?? item] : [];
      return { ...fault, loc: ['body', 'transformations', ...place, ...rest] };
    });
    throw problemSaying(error.code, error.message, { ...error.facts, faults });
  }
}

const namesOutput = (text: string): boolean =>
  text.split('/').some((operation) => {
    const [name = ''] = operation.split(':', 1);
    return outputNames.has(name.trim().toLowerCase().replaceAll('_', '-'));
  });
