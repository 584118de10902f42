// images.ts — surface D: /api/v1/images, one picture by URL and what is to be done with it.
//
// Its words are upper case, its keys camel case. The result is PNG unless the transformations ask for something else.

import type { App } from '../app.ts';
import type { Image } from '../batches/model.ts';
import { findImage } from '../batches/read-images.ts';
import { privately, serveFile } from '../http/files.ts';
import { callerOf, type Ask, type Http } from '../http/http.ts';
import { sendOutcome } from '../http/idempotency.ts';
import { canonicalId, readsId } from '../http/ids.ts';
import { problem, problemSaying } from '../problem.ts';
import type { Word } from './batch-words.ts';
import { submitImage } from './image-submit.ts';
import { failureOf, imageErrors, resultOf, resultUrl, wordOfImage } from './image-words.ts';
import { readJob } from './images-request.ts';
import * as forms from './images-schemas.ts';
import type { Surface } from './surface.ts';

const name = 'images';

export const images: Surface = {
  name,
  summary: 'One picture by URL, transformations in order, a job to poll (/api/v1/images).',
  routes,
  problem: imageErrors,
};

function routes(http: Http, app: App): void {
  http.post(
    '/api/v1/images/process',
    {
      config: { scope: 'write', bodies: { 'application/json': forms.processRequest } },
      schema: {
        tags: [name],
        operationId: 'processImage',
        summary: 'Start a job',
        response: { 202: forms.accepted },
      },
    },
    async (request, reply) => {
      const read = async () => readJob(app, request);
      return sendOutcome(reply, await submitImage(app, request, { surface: name, read, answer }));
    },
  );

  http.get(
    '/api/v1/images/jobs/:jobId',
    {
      config: { scope: 'read' },
      onRequest: readsId('jobId'),
      schema: {
        tags: [name],
        operationId: 'getImageJob',
        summary: 'How far a job is',
        params: forms.jobId,
        response: { 200: forms.job },
      },
    },
    async (request) => jobBody(app, await theJob(app, request, request.params.jobId)),
  );

  addResult(http, app);
}

/** The bytes by id. An id is no secret, so a key is needed once there are keys, and nobody else may keep them. */
function addResult(http: Http, app: App): void {
  http.get(
    '/app/processed_images/:name',
    {
      config: { scope: 'read' },
      schema: {
        tags: [name],
        operationId: 'getImageOfJob',
        summary: 'The result of a job, by its id',
        params: forms.resultName,
      },
    },
    async (request, reply) => {
      const [, text = '', extension = ''] = /^(.+)\.([a-z]+)$/.exec(request.params.name) ?? [];
      const id = canonicalId(text);
      const image = id && (await findImage(app, id, callerOf(request).sees));
      const result = image ? await resultOf(app, image) : null;
      if (!result?.file.endsWith(`.${extension}`)) throw problem('not_found');
      return serveFile(app, request, reply, result.file, privately);
    },
  );
}

const words = {
  pending: 'PENDING',
  processing: 'PROCESSING',
  completed: 'COMPLETED',
  failed: 'FAILED',
} as const satisfies Record<Word, string>;

function answer({ id }: Image) {
  const headers = { location: `/api/v1/images/jobs/${id}`, 'retry-after': '2' };
  return { status: 202, headers, body: { jobId: id, status: words.pending } };
}

async function jobBody(app: App, image: Image) {
  const result = await resultOf(app, image);
  const changed = image.finishedAt ?? image.startedAt ?? image.createdAt;
  return {
    jobId: image.id,
    status: words[wordOfImage(image)],
    resultUrl: result && resultUrl(app, result.file),
    errorMessage: failureOf(image),
    attempts: image.attempts,
    createdAt: image.createdAt.toISOString(),
    updatedAt: changed.toISOString(),
  };
}

async function theJob(app: App, request: Ask, id: string): Promise<Image> {
  const image = await findImage(app, id, callerOf(request).sees);
  if (!image) throw problemSaying('not_found', 'Job not found');
  return image;
}
