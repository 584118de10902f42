// catalog.ts — surface C: /upload, /status, /download, the catalog at root paths.
//
// Errors are {"detail"}; faults of form come as a list with 422, faults of the CSV itself as 400.

import type { App } from '../app.ts';
import { findBatch } from '../batches/read.ts';
import { hasEnded, type Batch } from '../batches/model.ts';
import { serveFile } from '../http/files.ts';
import { callerOf, type Ask, type Http } from '../http/http.ts';
import { sendOutcome } from '../http/idempotency.ts';
import { readsId } from '../http/ids.ts';
import { problem, problemSaying } from '../problem.ts';
import { statusBody, wordOf } from './batch-words.ts';
import { sendCsv } from './catalog-output.ts';
import * as forms from './catalog-schemas.ts';
import { submitCatalog } from './catalog-submit.ts';
import { catalogWebhook } from './catalog-webhook.ts';
import { detailShape, isUnmatched } from './error-bodies.ts';
import { acceptedBody } from './image-process.ts';
import type { Surface } from './surface.ts';

const name = 'catalog';

export const catalog: Surface = {
  name,
  summary: 'Catalog in, status to poll, the CSV with results out (root paths).',
  routes,
  webhook: catalogWebhook,
  problem: detailShape({
    not_csv: { status: 400, says: ({ message }) => (/save it as CSV/.test(message) ? saveAsCsv : notCsv) },
    csv_missing_columns: { status: 400, says: 'Invalid CSV headers.' },
    csv_empty: { status: 400, says: 'CSV file is empty.' },
    csv_no_rows: { status: 400, says: 'CSV has no data rows.' },
    csv_no_urls: { status: 400, says: 'CSV has no image URLs.' },
    csv_syntax: { status: 400 },
    not_found: { says: (found) => (isUnmatched(found) ? 'Not Found' : found.message) },
  }),
};

const notCsv = 'Invalid file format.';
const saveAsCsv = 'Invalid file format. It is an Excel workbook: save it as CSV.';

function routes(http: Http, app: App): void {
  http.post(
    '/upload',
    {
      config: { scope: 'write', bodies: forms.catalogBodies },
      schema: {
        tags: [name],
        operationId: 'uploadCatalog',
        summary: 'Send a catalog',
        querystring: forms.uploadQuery,
        response: { 200: forms.accepted },
      },
    },
    async (request, reply) => {
      const strict = request.query.strict ?? false;
      return sendOutcome(reply, await submitCatalog(app, request, { surface: name, strict, noFile, answer }));
    },
  );
  addReads(http, app);
  http.get(
    '/processed_images/:name',
    { config: { scope: 'public' }, schema: { tags: [name], operationId: 'getProcessedImage', summary: 'A result' } },
    async (request, reply) => serveFile(app, request, reply, (request.params as { name: string }).name),
  );
}

function addReads(http: Http, app: App): void {
  http.get(
    '/status/:request_id',
    {
      config: { scope: 'read' },
      onRequest: readsId('request_id'),
      schema: {
        tags: [name],
        operationId: 'getCatalogStatus',
        summary: 'How far a catalog is',
        params: forms.requestId,
        response: { 200: forms.status },
      },
    },
    async (request) => statusBody(app, await theBatch(app, request, request.params.request_id)),
  );

  http.get(
    '/download/:request_id',
    {
      config: { scope: 'read' },
      onRequest: readsId('request_id'),
      schema: {
        tags: [name],
        operationId: 'downloadCatalog',
        summary: 'The catalog with its results',
        params: forms.requestId,
        querystring: forms.downloadQuery,
      },
    },
    async (request, reply) => {
      const batch = await theBatch(app, request, request.params.request_id);
      const { form = 'seed', partial = false, excel = false } = request.query;
      if (!hasEnded(batch.state) && !partial) throw notReady(batch);
      return sendCsv(app, request, reply, batch, { form, excel, folder: '/processed_images' });
    },
  );
}

async function theBatch(app: App, request: Ask, id: string): Promise<Batch> {
  const batch = await findBatch(app, id, callerOf(request).sees);
  if (!batch) throw problemSaying('not_found', 'Request not found.');
  return batch;
}

function notReady({ state }: Batch) {
  return problem('not_ready', {}, { extra: { status: wordOf(state) }, retryAfterMs: 2000 });
}

function noFile() {
  const fault = { type: 'missing', loc: ['body', 'file'], message: 'Field required' };
  return problem('invalid_request', {}, { faults: [fault] });
}

const answer = (batch: Batch) => ({ status: 200, headers: {}, body: acceptedBody(batch) });
