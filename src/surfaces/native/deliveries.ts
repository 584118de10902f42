// deliveries.ts — /v1/deliveries: which webhook calls were made, how each try ended, and one more try on demand.

import type { App } from '../../app.ts';
import { callerOf, type Http } from '../../http/http.ts';
import { sendOutcome } from '../../http/idempotency.ts';
import { canonicalId, readsId } from '../../http/ids.ts';
import { findDelivery, listDeliveries, redeliver } from '../../notify/deliveries.ts';
import type { Delivery } from '../../notify/notify.ts';
import { problem } from '../../problem.ts';
import { isId, keyOfCursor, page } from './cursor.ts';
import * as forms from './admin-schemas.ts';
import { onceAfterwards } from './once.ts';

const tags = ['native'];
const onRequest = readsId('id');

export function addDeliveries(http: Http, app: App): void {
  http.get(
    '/v1/deliveries',
    {
      config: { scope: 'read' },
      schema: {
        tags,
        operationId: 'listDeliveries',
        summary: 'Webhook calls, newest first',
        querystring: forms.deliveriesQuery,
        response: { 200: forms.pageOf(forms.delivery) },
      },
    },
    async (request, reply) => {
      const { limit = 50, state, batch_id } = request.query;
      const before = keyOfCursor(request, isId);
      const batchId = batch_id === undefined ? undefined : canonicalId(batch_id);
      // No batch has an id of no form, so none of its deliveries exists.
      if (batch_id !== undefined && batchId === undefined) return { items: [], next_cursor: null };
      const owner = callerOf(request).sees;
      const rows = await listDeliveries(app, { owner, batchId, state, before, limit: limit + 1 });
      return page(request, reply, rows, { limit, key: ({ id }) => id, view: deliveryView, ...app.config });
    },
  );
  http.get(
    '/v1/deliveries/:id',
    {
      config: { scope: 'read' },
      onRequest,
      schema: {
        tags,
        operationId: 'getDelivery',
        summary: 'A webhook call with its tries',
        params: forms.id,
        querystring: forms.noQuery,
        response: { 200: forms.delivery },
      },
    },
    async (request) => found(await findDelivery(app, request.params.id, callerOf(request).sees)),
  );
  http.post(
    '/v1/deliveries/:id/redeliver',
    {
      config: { scope: 'write' },
      onRequest,
      schema: {
        tags,
        operationId: 'redeliver',
        summary: 'Send it again now, under the same webhook-id',
        params: forms.id,
        querystring: forms.noQuery,
        response: { 202: forms.delivery },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const outcome = await onceAfterwards(app, request, { id }, async () => {
        const body = found(await redeliver(app.db, id, callerOf(request).sees));
        const headers = { location: `/v1/deliveries/${id}`, 'retry-after': '2' };
        return { answer: { status: 202, headers, body }, batchId: body.batch_id };
      });
      return sendOutcome(reply, outcome);
    },
  );
}

function found(delivery: Delivery | undefined) {
  if (!delivery) throw problem('not_found');
  return deliveryView(delivery);
}

function deliveryView(delivery: Delivery) {
  return {
    id: delivery.id,
    webhook_id: `msg_${delivery.id}`,
    batch_id: delivery.batchId,
    generation: delivery.generation,
    event_type: 'batch.finished',
    url: delivery.url,
    state: delivery.state,
    attempts: delivery.tries,
    next_attempt_at: delivery.nextAttemptAt?.toISOString() ?? null,
    receiver_disabled_at: delivery.receiverDisabledAt?.toISOString() ?? null,
    created_at: delivery.createdAt.toISOString(),
    finished_at: delivery.finishedAt?.toISOString() ?? null,
  };
}
