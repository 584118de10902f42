// dialects.ts — who answers how: whose error shape a path gets, and who writes the webhook of a batch.

import type { Uses } from '../app.ts';
import { findBatch } from '../batches/read.ts';
import type { ErrorShape, RouteSets } from '../http/http.ts';
import type { ComposeWebhook } from '../notify/notify.ts';
import { imageErrors } from './image-words.ts';
import { surfaces } from './index.ts';
import { problemShape } from './native/shape.ts';

/** Surfaces that are not here yet must already be answered in their shape. */
const shapes: [RegExp, ErrorShape][] = [
  [/^\/api\/v1(\/|$)|^\/health(\/|$)/, imageErrors],
  [/^\/(api|ws|media)(\/|$)/, shapeOfSurface('uploads')],
  [/^\/image_process(\/|$)/, shapeOfSurface('image_process')],
  [/^\/(upload|status|download|processed_images|app\/processed_images)(\/|$)/, shapeOfSurface('catalog')],
];

const probes = new Set(['health', 'metrics']);

/** For the server: all routes, and the shape of an error by path, because many a request matches no route. */
export const routeSets: RouteSets = {
  sets: surfaces,
  shapeOf: (path) => shapes.find(([pattern]) => pattern.test(path))?.[1] ?? problemShape,
};

/** What a worker answers: whether it is alive and well. */
export const probeSets: RouteSets = { ...routeSets, sets: surfaces.filter(({ name }) => probes.has(name)) };

function shapeOfSurface(name: string): ErrorShape {
  return surfaces.find((surface) => surface.name === name)?.problem ?? problemShape;
}

/** Writes a webhook in the dialect its batch came by; undefined when the batch is gone. */
export function composeWebhook(app: Uses<'db' | 'config'>): ComposeWebhook {
  return async ({ batchId, format }) => {
    const batch = await findBatch(app, batchId);
    const surface = batch && surfaces.find(({ name }) => name === batch.surface);
    return batch && surface?.webhook?.(app, batch, format);
  };
}
