// webhook.ts — what /v1 tells a webhook receiver: the envelope of all our events, links instead of data.

import type { Uses } from '../../app.ts';
import type { Batch } from '../../batches/model.ts';
import type { WebhookBody } from '../../notify/notify.ts';
import { batchView } from './views.ts';

export async function batchWebhook(app: Uses<'db' | 'config'>, batch: Batch): Promise<WebhookBody> {
  const envelope = {
    id: `${batch.id}.${batch.generation}`,
    type: 'batch.finished',
    timestamp: (batch.finishedAt ?? new Date()).toISOString(),
    data: { batch_id: batch.id, batch: await batchView(app, batch) },
  };
  return { contentType: 'application/json', body: Buffer.from(JSON.stringify(envelope)) };
}
