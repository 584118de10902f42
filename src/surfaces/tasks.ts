// tasks.ts — surface E: /api/v1/tasks and /api/v1/results, an uploaded picture scaled to other sides.
//
// The result has the format of what was sent.

import type { App } from '../app.ts';
import type { Image } from '../batches/model.ts';
import { findImage } from '../batches/read-images.ts';
import { callerOf, type Ask, type Http } from '../http/http.ts';
import { sendOutcome } from '../http/idempotency.ts';
import { readsId } from '../http/ids.ts';
import { problemSaying } from '../problem.ts';
import { submitImage } from './image-submit.ts';
import { imageErrors, wordOfImage } from './image-words.ts';
import type { Surface } from './surface.ts';
import { readTask, type Task } from './tasks-request.ts';
import { errorOf, sendResult, wantsPicture } from './tasks-result.ts';
import * as forms from './tasks-schemas.ts';

const name = 'tasks';

export const tasks: Surface = {
  name,
  summary: 'An uploaded picture scaled, a task to poll, the result as base64 or as a file (/api/v1/tasks).',
  routes,
  problem: imageErrors,
};

function routes(http: Http, app: App): void {
  addCreate(http, app);
  http.get(
    '/api/v1/tasks/:task_id',
    {
      config: { scope: 'read' },
      onRequest: readsId('task_id'),
      schema: {
        tags: [name],
        operationId: 'getTask',
        summary: 'How far a task is',
        params: forms.taskId,
        response: { 200: forms.task },
      },
    },
    async (request) => taskBody(await theTask(app, request, request.params.task_id)),
  );

  http.get(
    '/api/v1/results/:task_id',
    {
      config: { scope: 'read' },
      onRequest: readsId('task_id'),
      schema: {
        tags: [name],
        operationId: 'getTaskResult',
        summary: 'The result of a task, as JSON or as it is',
        params: forms.taskId,
        querystring: forms.resultQuery,
        response: { 200: forms.result, 202: forms.unfinished },
      },
    },
    async (request, reply) => {
      const { format } = request.query;
      reply.header('vary', 'Origin, Accept');
      const image = await theTask(app, request, request.params.task_id);
      const raw = format === undefined ? wantsPicture(request.headers.accept) : format === 'raw';
      return sendResult(app, request, reply, image, raw);
    },
  );
}

function addCreate(http: Http, app: App): void {
  const { maxOutputSide } = app.config;
  const fields = forms.taskFields(maxOutputSide);
  http.post(
    '/api/v1/tasks',
    {
      config: { scope: 'write', bodies: { 'multipart/form-data': forms.taskForm(maxOutputSide) } },
      schema: {
        tags: [name],
        operationId: 'createTask',
        summary: 'Scale a picture',
        response: { 202: forms.accepted },
      },
    },
    async (request, reply) => {
      const outcome = await submitImage(app, request, {
        surface: name,
        read: () => readTask(app, request, fields),
        answer: acceptedAnswer,
      });
      return sendOutcome(reply, outcome);
    },
  );
}

function acceptedAnswer(image: Image, { sides }: Task) {
  const { error: _, ...body } = taskBody(image);
  const headers = { location: `/api/v1/tasks/${image.id}`, 'retry-after': '2' };
  return { status: 202, headers, body: { ...body, ...sides } };
}

function taskBody(image: Image) {
  return {
    id: image.id,
    status: wordOfImage(image),
    created_at: image.createdAt.toISOString(),
    completed_at: image.finishedAt?.toISOString() ?? null,
    error: errorOf(image),
  };
}

async function theTask(app: App, request: Ask, id: string): Promise<Image> {
  const image = await findImage(app, id, callerOf(request).sees);
  if (!image) throw problemSaying('not_found', 'Task not found');
  return image;
}
