// index.ts — our own dialect, /v1: a file per resource, problem+json, nothing unknown is passed over.

import { createHash } from 'node:crypto';
import type { Http } from '../../http/http.ts';
import { problem } from '../../problem.ts';
import type { Surface } from '../surface.ts';
import { addBatches } from './batches.ts';
import { addAdmin } from './admin.ts';
import { addCreate, surfaceName } from './create.ts';
import { addDeliveries } from './deliveries.ts';
import { addEvents } from './events.ts';
import { addImages } from './images.ts';
import { addKeys } from './keys.ts';
import { addLists } from './lists.ts';
import { addParts } from './parts.ts';
import { addSession } from './session.ts';
import { problemShape } from './shape.ts';
import { addThumbnails } from './thumbnails.ts';
import { addUploads } from './uploads.ts';
import { batchWebhook } from './webhook.ts';
import { addWebhooks } from './webhooks.ts';

export const native: Surface = {
  name: surfaceName,
  summary: 'Batches, images, results: everything Darkroom can do (/v1).',
  problem: problemShape,
  webhook: batchWebhook,
  routes(http, app) {
    http.addHook('preValidation', async (request) => {
      if (request.routeOptions.schema?.body && request.body === undefined && hasBody(request.headers))
        throw problem('unsupported_media_type', { accepted: 'application/json' });
    });
    revalidate(http);
    addUploads(http, app);
    addCreate(http, app);
    addBatches(http, app);
    addParts(http, app);
    addImages(http, app);
    addThumbnails(http, app);
    addLists(http, app);
    addEvents(http, app);
    addDeliveries(http, app);
    addWebhooks(http, app);
    addAdmin(http, app);
    addKeys(http, app);
    addSession(http, app);
  },
};

const hasBody = ({ 'content-type': type }: { 'content-type'?: string | undefined }): boolean =>
  type !== undefined && !type.startsWith('application/json');

/** Metadata carries a weak ETag, so that a poller that looks often pays little. */
function revalidate(http: Http): void {
  http.addHook('onSend', async (request, reply, payload) => {
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    if (!isRead || reply.statusCode !== 200 || typeof payload !== 'string') return payload;
    const etag = `W/"${createHash('sha256').update(payload).digest('base64url').slice(0, 22)}"`;
    reply.header('etag', etag);
    if (!http.identity.keyed()) reply.header('cache-control', 'no-cache');
    if (request.headers['if-none-match'] !== etag) return payload;
    reply.code(304);
    return '';
  });
}
