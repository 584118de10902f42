// uploads.ts — surface A: /api/upload waits for its picture, /api/async/… takes many and answers at once, /api/list.
//
// Errors are {"error"}; what a sender got wrong is 400. The live news of these images are told by the socket beside it.

import type { App } from '../app.ts';
import type { Batch, Image } from '../batches/model.ts';
import { listImages } from '../batches/read-images.ts';
import { waitForBatch } from '../batches/wait.ts';
import { problemFrom } from '../http/faults.ts';
import { serveFile } from '../http/files.ts';
import type { Answering, Ask, Http } from '../http/http.ts';
import { sendOutcome, type Outcome } from '../http/idempotency.ts';
import { imageSentence, isCode, problem, problemSaying } from '../problem.ts';
import { errorShape } from './error-bodies.ts';
import { waitSignal } from './native/waiting.ts';
import type { Surface } from './surface.ts';
import { addUploadSocket } from './upload-socket.ts';
import { addUploadList } from './uploads-list.ts';
import type { SentImage } from './uploads-receive.ts';
import * as forms from './uploads-schemas.ts';
import { submitUploads, surfaceName, type Submission } from './uploads-submit.ts';
import { uploadHead, uploadView } from './uploads-views.ts';

const tags = [surfaceName];

export const uploads: Surface = {
  name: surfaceName,
  summary: 'Pictures in, results and a list out (/api/upload, /api/async, /api/list).',
  async routes(http, app) {
    await addUploadSocket(http, app);
    addUpload(http, app);
    addAsync(http, app);
    addUploadList(http, app);
    http.get(
      '/media/images/:name',
      { config: { scope: 'public' }, schema: { tags, operationId: 'getMediaImage', summary: 'A result' } },
      async (request, reply) => serveFile(app, request, reply, (request.params as { name: string }).name),
    );
  },
  problem: errorShape({
    not_an_image: { status: 400, says: 'Invalid file type' },
    unsupported_format: { status: 400 },
  }),
};

function addUpload(http: Http, app: App): void {
  const submission: Submission = { fields: ['image'], most: 1, judge: judgeOne, answer: accepted };
  http.post(
    '/api/upload',
    {
      config: { scope: 'write', bodies: forms.oneImage },
      schema: {
        tags,
        operationId: 'uploadImage',
        summary: 'Send a picture and wait for its result',
        response: { 200: forms.uploaded, 202: forms.uploaded },
      },
    },
    async (request, reply) =>
      submitUploads(app, request, submission, async (outcome) =>
        sendOutcome(reply, await whenProcessed(app, request, reply, outcome)),
      ),
  );
}

/** What a caller of the synchronous path is kept waiting at most: below the 30 s after which many a proxy gives up. */
const longestWait = 25;

/** RFC 7240: whoever cannot wait that long says so with `Prefer: wait=5`. */
function waitMs({ headers }: Ask): number {
  const [, preferred] = /(?:^|[,;\s])wait=(\d{1,4})/.exec(String(headers.prefer ?? '')) ?? [];
  return Math.min(longestWait, Number(preferred ?? longestWait)) * 1000;
}

async function whenProcessed(app: App, request: Ask, reply: Answering, outcome: Outcome): Promise<Outcome> {
  const { batchId, replayed } = outcome;
  if (batchId === null) return outcome;
  const image = await imageInTime(app, batchId, { ms: waitMs(request), signal: waitSignal(reply) });
  if (image === 'unknown') return outcome;
  // Deleted while it was waited for.
  if (!image) throw problem('not_found');
  if (image.state === 'failed' || image.state === 'canceled') throw failure(image, replayed);
  if (image.state !== 'succeeded') return outcome;
  const body = { message: 'Image uploaded successfully', batch_id: batchId, ...uploadView(image) };
  return { ...outcome, status: 200, headers: {}, body };
}

/** The image is accepted: a database that is away for a moment must not make its sender send it again. */
async function imageInTime(app: App, batchId: string, patience: { ms: number; signal: AbortSignal }) {
  try {
    const batch = await waitForBatch(app, batchId, patience);
    const [image] = batch ? await listImages(app, batchId, { limit: 1 }) : [];
    return image;
  } catch (error) {
    if (problemFrom(error).code === 'unavailable') return 'unknown';
    throw error;
  }
}

function judgeOne([first]: SentImage[]): void {
  if (!first) throw problemSaying('no_file', 'No image file provided');
  if ('refused' in first.received) throw first.received.refused;
}

function accepted(batch: Batch, images: Image[]) {
  const [view] = images.map(uploadView);
  const body = { message: 'Image accepted, still processing', batch_id: batch.id, ...view, status: 'processing' };
  return { status: 202, headers: later(batch), body };
}

function failure({ id, batchId, error }: Image, replayed: boolean) {
  const code = error?.code ?? 'internal';
  return problemSaying(isCode(code) ? code : 'internal', imageSentence(code), {
    extra: { id, job_id: id, batch_id: batchId },
    headers: replayed ? { 'idempotent-replayed': 'true' } : {},
  });
}

const later = ({ id }: Batch) => ({ location: `/v1/batches/${id}`, 'retry-after': '2' });

/** Both take the same; they differ in what their clients expect to read. */
const asyncPaths = [
  {
    path: '/api/async/upload',
    operationId: 'uploadImages',
    status: 200,
    message: () => 'Images upload initiated',
  },
  {
    path: '/api/async/batch/upload',
    operationId: 'uploadImageBatch',
    status: 202,
    message: (count: number) => `Batch upload of ${count} images initiated`,
  },
];

function addAsync(http: Http, app: App): void {
  for (const { path, operationId, status, message } of asyncPaths) {
    const answer = (batch: Batch, images: Image[]) => ({
      status,
      headers: status === 202 ? later(batch) : {},
      body: { message: message(images.length), batch_id: batch.id, images: images.map(uploadHead) },
    });
    const fields = ['images', 'images[]', 'image'];
    const submission: Submission = { fields, most: Infinity, judge: judgeMany, answer };
    http.post(
      path,
      {
        config: { scope: 'write', bodies: forms.manyImages },
        schema: {
          tags,
          operationId,
          summary: 'Send pictures; the list and the socket tell how they fare',
          response: { [status]: forms.initiated },
        },
      },
      async (request, reply) => submitUploads(app, request, submission, async (outcome) => sendOutcome(reply, outcome)),
    );
  }
}

function judgeMany(sent: SentImage[]): void {
  if (sent.length === 0) throw problemSaying('no_file', 'No images provided');
}
