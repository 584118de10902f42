// image-process.ts — surface B: /image_process, a catalog in, a status to poll.
//
// Errors are {"error"}; everything a client got wrong is 400, and an id of no form is as unknown as any other.

import type { App } from '../app.ts';
import { findBatch } from '../batches/read.ts';
import type { Batch } from '../batches/model.ts';
import { callerOf, type Http } from '../http/http.ts';
import { sendOutcome } from '../http/idempotency.ts';
import { readsId } from '../http/ids.ts';
import { problem } from '../problem.ts';
import { statusBody, wordOf } from './batch-words.ts';
import * as forms from './catalog-schemas.ts';
import { submitCatalog } from './catalog-submit.ts';
import { catalogWebhook } from './catalog-webhook.ts';
import { errorShape } from './error-bodies.ts';
import type { Surface } from './surface.ts';

const name = 'image_process';

export const imageProcess: Surface = {
  name,
  summary: 'Catalog in, status to poll, webhook at the end (/image_process).',
  routes,
  webhook: catalogWebhook,
  problem: errorShape({
    no_file: { says: 'No file uploaded' },
    csv_empty: { says: 'CSV file has no data' },
    csv_no_rows: { says: 'CSV has no data rows' },
    csv_no_urls: { says: 'CSV has no image URLs' },
    method_not_allowed: { says: 'Invalid request' },
    invalid_url: {},
    blocked_address: {},
  }),
};

function routes(http: Http, app: App): void {
  http.post(
    '/image_process/upload/',
    {
      config: { scope: 'write', bodies: forms.catalogBodies },
      schema: {
        tags: [name],
        operationId: 'imageProcessUpload',
        summary: 'Send a catalog',
        response: { 202: forms.accepted },
      },
    },
    async (request, reply) => {
      const noFile = () => problem('no_file');
      const outcome = await submitCatalog(app, request, { surface: name, strict: false, noFile, answer });
      return sendOutcome(reply, outcome);
    },
  );

  http.get(
    '/image_process/status/:request_id/',
    {
      config: { scope: 'read' },
      onRequest: readsId('request_id'),
      schema: {
        tags: [name],
        operationId: 'imageProcessStatus',
        summary: 'How far a catalog is',
        params: forms.requestId,
        response: { 200: forms.status },
      },
    },
    async (request) => {
      const batch = await findBatch(app, request.params.request_id, callerOf(request).sees);
      if (!batch) throw problem('not_found');
      return statusBody(app, batch);
    },
  );
}

function answer(batch: Batch) {
  const headers = { location: `/image_process/status/${batch.id}/`, 'retry-after': '2' };
  return { status: 202, headers, body: acceptedBody(batch) };
}

/** The first answer of B and C. */
export function acceptedBody({ id, state, counts, problems }: Batch) {
  const warnings = problems.map(({ code, line }) => ({ code, line }));
  return { request_id: id, status: wordOf(state), total_images: counts.total, warnings };
}
