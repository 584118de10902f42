// webhooks.ts — POST /v1/webhooks/test: sends a signed event to a receiver, so that its signature check can be tried.
//
// Without a URL the built-in receiver is asked, in this process: calls of ours to ourselves never leave the house.

import { randomUUID } from 'node:crypto';
import type { App } from '../../app.ts';
import { callerOf, type Http } from '../../http/http.ts';
import { sendOutcome } from '../../http/idempotency.ts';
import { hopOf } from '../../http/server.ts';
import { ownerSecrets } from '../../notify/signing.ts';
import { receiveTest, sendTest, signTest } from '../../notify/test-event.ts';
import { checkWebhook } from '../catalog-submit.ts';
import * as forms from './admin-schemas.ts';
import { onceAfterwards } from './once.ts';

export function addWebhooks(http: Http, app: App): void {
  http.post(
    '/v1/webhooks/test',
    {
      config: { scope: 'write' },
      preValidation: async (request) => {
        request.body ??= {};
      },
      schema: {
        tags: ['native'],
        operationId: 'testWebhook',
        summary: 'Send a signed webhook.test to a URL, or to the built-in receiver',
        querystring: forms.noQuery,
        body: forms.testBody,
        response: { 200: forms.testAnswer },
      },
    },
    async (request, reply) => {
      const { owner } = callerOf(request);
      const url = request.body.url?.trim();
      if (url) checkWebhook(app, { text: url, where: 'body' }, 'url');
      const outcome = await onceAfterwards(app, request, request.body, async () => {
        const { secrets } = await ownerSecrets(app, owner);
        const event = { id: randomUUID(), type: 'webhook.test', timestamp: new Date().toISOString(), data: {} };
        const signed = signTest(secrets, event);
        const hop = hopOf(request);
        const body = url ? await sendTest(app, url, { ...signed, hop }) : receiveTest(secrets, signed);
        return { answer: { status: 200, headers: {}, body }, batchId: null };
      });
      return sendOutcome(reply, outcome);
    },
  );
}
