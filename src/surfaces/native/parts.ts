// parts.ts — what a batch consists of: its images, its failures, the problems of its CSV, its files.

import type { App } from '../../app.ts';
import { hasEnded, type Batch } from '../../batches/model.ts';
import { failureGroups } from '../../batches/read.ts';
import { listImages } from '../../batches/read-images.ts';
import { serveFile } from '../../http/files.ts';
import type { Http } from '../../http/http.ts';
import { readsId } from '../../http/ids.ts';
import { entryOf, imageSentence, isCode, problem } from '../../problem.ts';
import { sendCsv } from '../catalog-output.ts';
import * as answers from './answers.ts';
import { theBatch } from './batches.ts';
import { surfaceName } from './create.ts';
import { isPosition, keyOfCursor, page } from './cursor.ts';
import * as forms from './schemas.ts';
import { imageView } from './views.ts';

const tags = [surfaceName];
const onRequest = readsId('id');
const params = forms.id;

export function addParts(http: Http, app: App): void {
  addImagesOf(http, app);
  addFailures(http, app);
  addCsv(http, app);
  http.get(
    '/v1/files/:name',
    { config: { scope: 'public' }, schema: { tags, operationId: 'getFile', summary: 'A result, by its secret name' } },
    async (request, reply) => serveFile(app, request, reply, (request.params as { name: string }).name),
  );
}

function addImagesOf(http: Http, app: App): void {
  http.get(
    '/v1/batches/:id/images',
    {
      config: { scope: 'read' },
      onRequest,
      schema: {
        tags,
        operationId: 'listImages',
        summary: 'Images, input order',
        params,
        querystring: forms.imagesQuery,
        response: { 200: answers.imagePage },
      },
    },
    async (request, reply) => {
      const batch = await theBatch(app, request);
      const { limit = 50, state, code, host, q, from_position } = request.query;
      const after = keyOfCursor(request, isPosition) ?? (from_position === undefined ? undefined : from_position - 1);
      const rows = await listImages(app, batch.id, {
        ...(state && { state }),
        ...(code && { code }),
        ...(host && { host }),
        ...(q && { q }),
        ...(after !== undefined && { afterPosition: after }),
        limit: limit + 1,
      });
      const view = (image: (typeof rows)[number]) => imageView(app, image);
      return page(request, reply, rows, { limit, key: ({ position }) => position, view, ...app.config });
    },
  );
}

function addFailures(http: Http, app: App): void {
  http.get(
    '/v1/batches/:id/failures',
    {
      config: { scope: 'read' },
      onRequest,
      schema: {
        tags,
        operationId: 'listFailures',
        summary: 'Failures by cause',
        params,
        querystring: forms.noQuery,
        response: { 200: answers.failures },
      },
    },
    async (request) => {
      const groups = await failureGroups(app, (await theBatch(app, request)).id);
      const items = groups.map(({ code, host, count, exampleImageIds }) => ({
        code,
        host,
        count,
        retryable: isCode(code) && entryOf(code).retryable,
        message: imageSentence(code),
        remedy: (isCode(code) && entryOf(code).remedy) || null,
        example_image_ids: exampleImageIds,
      }));
      return { items };
    },
  );
  http.get(
    '/v1/batches/:id/problems',
    {
      config: { scope: 'read' },
      onRequest,
      schema: {
        tags,
        operationId: 'listProblems',
        summary: 'Problems of the CSV',
        params,
        querystring: forms.noQuery,
        response: { 200: answers.problems },
      },
    },
    async (request) => {
      const { problems, problemCount } = await theBatch(app, request);
      const items = problems.map(({ line, column = null, code, message = null, value = null }) => ({
        line,
        column,
        code,
        message,
        value,
      }));
      return { items, total: problemCount };
    },
  );
}

function addCsv(http: Http, app: App): void {
  http.get(
    '/v1/batches/:id/output.csv',
    {
      config: { scope: 'read' },
      onRequest,
      schema: {
        tags,
        operationId: 'getOutputCsv',
        summary: 'The CSV with results',
        params,
        querystring: forms.outputQuery,
      },
    },
    async (request, reply) => {
      const batch = await theBatch(app, request);
      const { form = 'original', excel = false, partial = false } = request.query;
      refuseUnready(batch, partial);
      return sendCsv(app, request, reply, batch, { form, excel, folder: '/v1/files' });
    },
  );
  http.get(
    '/v1/batches/:id/failed.csv',
    {
      config: { scope: 'read' },
      onRequest,
      schema: {
        tags,
        operationId: 'getFailedCsv',
        summary: 'The rows that failed',
        params,
        querystring: forms.failedQuery,
      },
    },
    async (request, reply) => {
      const batch = await theBatch(app, request);
      refuseUnready(batch, request.query.partial ?? false);
      return sendCsv(app, request, reply, batch, { form: 'failed', excel: false, folder: '/v1/files' });
    },
  );
}

function refuseUnready(batch: Batch, partial: boolean): void {
  if (!partial && !hasEnded(batch.state)) throw problem('not_ready', {}, { retryAfterMs: 2000 });
}
