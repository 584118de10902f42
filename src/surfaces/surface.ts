// surface.ts — what a dialect is: routes, words and shapes over the one core.
//
// A surface knows how its clients speak and nothing else: no SQL, no pictures, no queue. Where two surfaces say the same
// (B and C), the saying stands in a file of its own beside them.

import type { App, Uses } from '../app.ts';
import type { Batch } from '../batches/model.ts';
import type { ErrorShape, Http } from '../http/http.ts';
import type { WebhookBody } from '../notify/notify.ts';

export type Surface = {
  /** Stored with each batch, and the tag in the documents. */
  name: string;
  summary: string;
  routes(http: Http, app: App): void | Promise<void>;
  /** The shape of its errors. Absent: that of /v1. */
  problem?: ErrorShape;
  /** The body of the webhook of a batch that came by this surface. Absent: it sends none. */
  webhook?(app: Uses<'db' | 'config'>, batch: Batch, format: string): Promise<WebhookBody>;
};
