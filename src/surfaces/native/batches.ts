// batches.ts — /v1/batches/{id}: look, wait, list, cancel, retry, delete.

import type { App } from '../../app.ts';
import { cancelBatch, deleteBatch, retryBatch } from '../../batches/change.ts';
import { hasEnded, type Batch } from '../../batches/model.ts';
import { findBatch, listBatches } from '../../batches/read.ts';
import { waitForBatch } from '../../batches/wait.ts';
import { callerOf, type Ask, type Http } from '../../http/http.ts';
import { sendOutcome } from '../../http/idempotency.ts';
import { canonicalId, readsId } from '../../http/ids.ts';
import { problem } from '../../problem.ts';
import * as answers from './answers.ts';
import { surfaceName } from './create.ts';
import { isId, keyOfCursor, page } from './cursor.ts';
import { onceAfterwards } from './once.ts';
import * as forms from './schemas.ts';
import { invalid } from './submission.ts';
import { batchView } from './views.ts';
import { waitMsOf, waitSignal } from './waiting.ts';

const tags = [surfaceName];
const onRequest = readsId('id');

/** The batch, if the caller may see it. */
export async function theBatch(app: App, request: Ask): Promise<Batch> {
  const { id } = request.params as { id: string };
  const batch = await findBatch(app, id, callerOf(request).sees);
  if (!batch) throw problem('not_found');
  return batch;
}

export function addBatches(http: Http, app: App): void {
  addList(http, app);
  http.get(
    '/v1/batches/:id',
    {
      config: { scope: 'read' },
      onRequest,
      schema: {
        tags,
        operationId: 'getBatch',
        summary: 'A batch',
        params: forms.id,
        querystring: forms.waitQuery,
        response: { 200: answers.batch },
      },
    },
    async (request, reply) => {
      const batch = await theBatch(app, request);
      const ms = waitMsOf(request);
      const waited = ms > 0 ? await waitForBatch(app, batch.id, { ms, signal: waitSignal(reply) }) : batch;
      if (!waited) throw problem('not_found');
      return batchView(app, waited);
    },
  );
  http.delete(
    '/v1/batches/:id',
    {
      config: { scope: 'write' },
      onRequest,
      schema: {
        tags,
        operationId: 'deleteBatch',
        summary: 'Delete a batch with its files',
        params: forms.id,
        querystring: forms.deleteQuery,
        response: forms.noAnswer,
      },
    },
    async (request, reply) => {
      const batch = await theBatch(app, request);
      await deleteBatch(app, batch.id, { cancel: request.query.cancel ?? false });
      return reply.code(204).send(null);
    },
  );
  addChanges(http, app);
}

function addList(http: Http, app: App): void {
  http.get(
    '/v1/batches',
    {
      config: { scope: 'read' },
      schema: {
        tags,
        operationId: 'listBatches',
        summary: 'Batches, newest first',
        querystring: forms.batchesQuery,
        response: { 200: answers.batchPage },
      },
    },
    async (request, reply) => {
      const { limit = 50, state, surface, q, created_after, created_before } = request.query;
      const before = keyOfCursor(request, isId);
      const { sees } = callerOf(request);
      const rows = await listBatches(app, {
        ...(sees !== undefined && { owner: sees }),
        ...(state && { state }),
        ...(surface && { surface }),
        ...(q && { q }),
        ...(created_after && { createdAfter: moment(created_after, 'created_after') }),
        ...(created_before && { createdBefore: moment(created_before, 'created_before') }),
        ...(before !== undefined && { before }),
        limit: limit + 1,
      });
      const listed = page(request, reply, rows, { limit, key: ({ id }) => id, view: (row) => row, ...app.config });
      return { ...listed, items: await Promise.all(listed.items.map((batch) => batchView(app, batch))) };
    },
  );
}

function moment(text: string, name: string): Date {
  const date = new Date(text);
  if (!Number.isNaN(date.getTime()) && /^\d{4}-\d\d-\d\d/.test(text)) return date;
  const fault = {
    type: 'value_error',
    loc: ['query', name],
    message: 'Input should be a time such as 2026-01-31T12:00:00Z',
  };
  throw problem('invalid_request', {}, { faults: [fault] });
}

function addChanges(http: Http, app: App): void {
  http.post(
    '/v1/batches/:id/cancel',
    {
      config: { scope: 'write' },
      onRequest,
      schema: {
        tags,
        operationId: 'cancelBatch',
        summary: 'End what waits',
        params: forms.id,
        querystring: forms.noQuery,
        response: answers.batchAnswers,
      },
    },
    async (request, reply) => {
      const { id, state } = await theBatch(app, request);
      const batch = await cancelBatch(app, id);
      if (!batch) throw problem('not_found');
      const view = await batchView(app, batch);
      if (hasEnded(state)) return view;
      return reply.code(202).header('location', `/v1/batches/${id}`).header('retry-after', '2').send(view);
    },
  );
  http.post(
    '/v1/batches/:id/retry',
    {
      config: { scope: 'write' },
      onRequest,
      preValidation: async (request) => {
        request.body ??= {};
      },
      schema: {
        tags,
        operationId: 'retryBatch',
        summary: 'Try failed images again',
        params: forms.id,
        querystring: forms.noQuery,
        body: forms.retryBody,
        response: answers.retryAnswers,
      },
    },
    async (request, reply) => {
      const { id } = await theBatch(app, request);
      const { codes, hosts, image_ids } = request.body;
      const imageIds = image_ids?.map((text, index) => idOf(text, ['image_ids', index]));
      const filter = { ...(codes && { codes }), ...(hosts && { hosts }), ...(imageIds && { imageIds }) };
      return sendOutcome(reply, await onceAfterwards(app, request, filter, () => retried(app, id, filter)));
    },
  );
}

async function retried(app: App, id: string, filter: Parameters<typeof retryBatch>[2]) {
  const { retried: count, batch } = await retryBatch(app, id, filter);
  const headers = { location: `/v1/batches/${id}`, 'retry-after': '2' };
  const answer = { status: 202, headers, body: { retried: count, batch: await batchView(app, batch) } };
  return { answer, batchId: id };
}

/** The canonical id that stands at `place` of the body. */
export function idOf(text: string, place: (string | number)[]): string {
  const id = canonicalId(text);
  if (id === undefined) throw invalid(place, 'Input should be a valid UUID');
  return id;
}
