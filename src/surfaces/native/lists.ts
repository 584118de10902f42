// lists.ts — what /v1 can do, told by itself: operations, error codes, and a check of a pipeline.

import type { App } from '../../app.ts';
import type { Http } from '../../http/http.ts';
import { describeOperations, formatPipeline, parsePipeline, pipelineOperations } from '../../imaging/grammar.ts';
import { presetsOf, type Preset } from '../../imaging/presets.ts';
import { catalogue, entryOf, type Code } from '../../problem.ts';
import * as answers from './answers.ts';
import { surfaceName } from './create.ts';
import { noQuery, pipelineBody } from './schemas.ts';
import { grammarOf } from './submission.ts';

const tags = [surfaceName];

export function addLists(http: Http, app: App): void {
  const limits = grammarOf(app);
  const presetView = ({ pipeline, ...preset }: Preset) => {
    const recipe = parsePipeline(pipeline, limits);
    return { ...preset, canonical: formatPipeline(recipe), pipeline: pipelineOperations(recipe) };
  };
  http.get(
    '/v1/operations',
    {
      config: { scope: 'read' },
      schema: {
        tags,
        operationId: 'listOperations',
        summary: 'Operations',
        querystring: noQuery,
        response: { 200: answers.operations },
      },
    },
    async () => ({ items: describeOperations(limits) }),
  );
  http.get(
    '/v1/presets',
    {
      config: { scope: 'read' },
      schema: {
        tags,
        operationId: 'listPresets',
        summary: 'Pipelines with a name',
        querystring: noQuery,
        response: { 200: answers.presets },
      },
    },
    async () => ({ items: presetsOf(app.config).map(presetView) }),
  );
  http.get(
    '/v1/errors',
    {
      config: { scope: 'read' },
      schema: {
        tags,
        operationId: 'listErrors',
        summary: 'Error codes',
        querystring: noQuery,
        response: { 200: answers.errors },
      },
    },
    async () => ({ items: (Object.keys(catalogue) as Code[]).map(errorView) }),
  );
  http.post(
    '/v1/pipelines/check',
    {
      config: { scope: 'read' },
      schema: {
        tags,
        operationId: 'checkPipeline',
        summary: 'Is this a pipeline?',
        querystring: noQuery,
        body: pipelineBody,
        response: { 200: answers.checkedPipeline },
      },
    },
    async (request) => {
      const recipe = parsePipeline(request.body.pipeline, limits);
      return { canonical: formatPipeline(recipe), operations: pipelineOperations(recipe) };
    },
  );
}

function errorView(code: Code) {
  const { status, title, remedy = null, retryable } = entryOf(code);
  return { code, status, sentence: title, remedy, retryable };
}
