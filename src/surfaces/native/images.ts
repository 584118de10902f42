// images.ts — /v1/images: find images over all batches, watch one, retry, cancel, delete.

import type { App } from '../../app.ts';
import { cancelImage, deleteImages, retryImage } from '../../batches/change-images.ts';
import { findImages, matchingIds, type ImageSearch } from '../../batches/find-images.ts';
import { imageHasEnded, type Image } from '../../batches/model.ts';
import { findImage } from '../../batches/read-images.ts';
import { waitForImage } from '../../batches/wait.ts';
import { callerOf, type Answering, type Ask, type Http } from '../../http/http.ts';
import { sendOutcome, type Outcome } from '../../http/idempotency.ts';
import { readsId } from '../../http/ids.ts';
import { problem, problemSaying } from '../../problem.ts';
import { idOf } from './batches.ts';
import * as answers from './answers.ts';
import { surfaceName } from './create.ts';
import { isId, keyOfCursor, pageUpTo } from './cursor.ts';
import * as forms from './image-schemas.ts';
import { onceAfterwards } from './once.ts';
import { id as params, noAnswer, noQuery, waitQuery } from './schemas.ts';
import { invalid } from './submission.ts';
import { imageStory, imageView } from './views.ts';
import { waitMsOf, waitSignal } from './waiting.ts';

const tags = [surfaceName];
const onRequest = readsId('id');

/** The image, if the caller may see it. */
export async function theImage(app: App, request: Ask): Promise<Image> {
  const { id } = request.params as { id: string };
  const image = await findImage(app, id, callerOf(request).sees);
  if (!image) throw problem('not_found');
  return image;
}

export function addImages(http: Http, app: App): void {
  http.get(
    '/v1/images',
    {
      config: { scope: 'read' },
      schema: {
        tags,
        operationId: 'findImages',
        summary: 'Images of all batches, newest first',
        description:
          'A page may hold fewer images than `limit`, even none, while `next_cursor` says that older ones were not looked at yet.',
        querystring: forms.searchQuery,
        response: { 200: answers.imagePage },
      },
    },
    async (request, reply) => {
      const { limit = 50, cursor: _cursor, ...filter } = request.query;
      const search = searchOf(request, filter);
      const { images, next } = await findImages(app, search, { before: keyOfCursor(request, isId), limit });
      return pageUpTo(request, reply, { items: images.map((image) => imageView(app, image)), next, ...app.config });
    },
  );
  http.get(
    '/v1/images/:id',
    {
      config: { scope: 'read' },
      onRequest,
      schema: {
        tags,
        operationId: 'getImage',
        summary: 'An image with its story',
        params,
        querystring: waitQuery,
        response: { 200: answers.imageStory },
      },
    },
    async (request, reply) => {
      const image = await theImage(app, request);
      const ms = waitMsOf(request);
      const waited = ms > 0 ? await waitForImage(app, image.id, { ms, signal: waitSignal(reply) }) : image;
      if (!waited) throw problem('not_found');
      return imageStory(app, waited);
    },
  );
  addChanges(http, app);
  addDeletes(http, app);
}

function searchOf(request: Ask, filter: forms.Filter): ImageSearch {
  const { source_url, serial_number, product_name, ref, name, source, state, code } = filter;
  const { sees } = callerOf(request);
  return {
    ...(sees !== undefined && { owner: sees }),
    ...(source_url !== undefined && { sourceUrl: source_url }),
    ...(serial_number !== undefined && { serialNumber: serial_number }),
    ...(product_name !== undefined && { productName: product_name }),
    ...(ref !== undefined && { ref }),
    ...(name !== undefined && { name }),
    ...(source === 'upload' && { uploaded: true }),
    ...(state !== undefined && { state }),
    ...(code !== undefined && { code }),
  };
}

function addChanges(http: Http, app: App): void {
  http.post(
    '/v1/images/:id/retry',
    {
      config: { scope: 'write' },
      onRequest,
      schema: {
        tags,
        operationId: 'retryImage',
        summary: 'Try one failed image again',
        params,
        querystring: waitQuery,
        response: answers.imageAnswers,
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const { sees: owner } = callerOf(request);
      const outcome = await onceAfterwards(app, request, { id }, async () => {
        const image = await retryImage(app, id, { owner });
        return { answer: accepted(app, image), batchId: image.batchId };
      });
      return answerOf(app, request, reply, { ...outcome, id });
    },
  );
  http.post(
    '/v1/images/:id/cancel',
    {
      config: { scope: 'write' },
      onRequest,
      schema: {
        tags,
        operationId: 'cancelImage',
        summary: 'End one waiting image',
        params,
        querystring: noQuery,
        response: answers.imageAnswers,
      },
    },
    async (request, reply) => {
      const { state } = await theImage(app, request);
      const image = await cancelImage(app, request.params.id, { owner: callerOf(request).sees });
      if (imageHasEnded(state)) return imageStory(app, image);
      const { headers, body } = accepted(app, image);
      return reply.code(202).headers(headers).send(body);
    },
  );
}

function accepted(app: App, image: Image) {
  const headers = { location: `/v1/images/${image.id}`, 'retry-after': '2' };
  return { status: 202, headers, body: imageStory(app, image) };
}

/** 202 at once, or with ?wait= 200 as soon as the image has ended. */
async function answerOf(app: App, request: Ask, reply: Answering, { id, ...outcome }: Outcome & { id: string }) {
  const ms = waitMsOf(request);
  const image = ms > 0 ? await waitForImage(app, id, { ms, signal: waitSignal(reply) }) : undefined;
  if (!image || !imageHasEnded(image.state)) return sendOutcome(reply, outcome);
  return sendOutcome(reply, { ...outcome, status: 200, body: imageStory(app, image) });
}

function addDeletes(http: Http, app: App): void {
  http.delete(
    '/v1/images/:id',
    {
      config: { scope: 'write' },
      onRequest,
      schema: {
        tags,
        operationId: 'deleteImage',
        summary: 'Delete an image with its files',
        params,
        querystring: noQuery,
        response: noAnswer,
      },
    },
    async (request, reply) => {
      const deleted = await deleteImages(app, [request.params.id], { owner: callerOf(request).sees });
      if (deleted === 0) throw problem('not_found');
      return reply.code(204).send(null);
    },
  );
  http.post(
    '/v1/images/delete',
    {
      config: { scope: 'write' },
      schema: {
        tags,
        operationId: 'deleteImages',
        summary: 'Delete images by id, or all that match',
        querystring: noQuery,
        body: forms.deleteBody,
        response: forms.deleteAnswer,
      },
    },
    async (request, reply) => {
      const { sees: owner } = callerOf(request);
      const outcome = await onceAfterwards(app, request, request.body, async () => {
        const ids = await chosenIds(app, request, request.body);
        const deleted = await deleteImages(app, ids, { owner });
        return { answer: { status: 202, headers: {}, body: { deleted } }, batchId: null };
      });
      return sendOutcome(reply, outcome);
    },
  );
}

/** Those named, or those that match; throws `count_changed` when they are not as many as the caller has seen. */
async function chosenIds(app: App, request: Ask, body: forms.DeleteBody): Promise<string[]> {
  const { image_ids: named, filter, expected_count: expected } = body;
  if ((named === undefined) === (filter === undefined))
    throw invalid([], 'Exactly one of image_ids and filter is needed.');
  if (named) return [...new Set(named.map((text, index) => idOf(text, ['image_ids', index])))];
  if (expected === undefined) throw invalid(['expected_count'], 'With a filter the expected number is needed.');
  const ids = await matchingIds(app, searchOf(request, filter ?? {}), expected);
  if (ids.length === expected) return ids;
  const now = ids.length > expected ? `more than ${expected}` : `only ${ids.length} of ${expected}`;
  throw problemSaying('count_changed', `The number of matching images has changed: there are ${now} now.`);
}
