// uploads-list.ts — GET /api/list: every uploaded image, newest first.
//
// Without a limit the whole list is one array, as the seed has it, and streams: a million rows cost no memory. A fault in
// the middle breaks the connection, because a list that was cut must not look whole.

import { Readable } from 'node:stream';
import type { App } from '../app.ts';
import type { Image } from '../batches/model.ts';
import { listUploads, uploadsNewestFirst } from '../batches/read-uploads.ts';
import { sendHead } from '../http/files.ts';
import { callerOf, type Answering, type Ask, type Http } from '../http/http.ts';
import { isId, keyOfCursor, page } from './native/cursor.ts';
import * as forms from './uploads-schemas.ts';
import { surfaceName } from './uploads-submit.ts';
import { stages, uploadView } from './uploads-views.ts';

export function addUploadList(http: Http, app: App): void {
  http.get(
    '/api/list',
    {
      config: { scope: 'read' },
      schema: {
        tags: [surfaceName],
        operationId: 'listUploads',
        summary: 'Uploaded images, newest first',
        querystring: forms.listQuery,
        response: { 200: forms.list },
      },
    },
    async (request, reply) => {
      const { limit, status } = request.query;
      const { sees } = callerOf(request);
      const before = keyOfCursor(request, isId);
      const filter = {
        ...(sees !== undefined && { owner: sees }),
        ...(status && { stage: stages[status] }),
        ...(before !== undefined && { before }),
      };
      if (limit !== undefined) {
        const rows = await listUploads(app, { ...filter, limit: limit + 1 });
        return page(request, reply, rows, { limit, key: ({ id }) => id, view: uploadView, ...app.config }).items;
      }
      return sendArray(request, reply, uploadsNewestFirst(app, filter));
    },
  );
}

async function sendArray(request: Ask, reply: Answering, images: AsyncIterable<Image>): Promise<Answering> {
  const text = arrayText(images);
  // The first part is read before anything is sent: a database that is away still gives a status.
  const first = await text.next();
  reply.type('application/json; charset=utf-8');
  return request.method === 'HEAD' ? sendHead(reply) : reply.send(Readable.from(whole(first, text)));
}

/** How much is gathered before it is sent on. */
const blockLength = 64 * 1024;

async function* arrayText(images: AsyncIterable<Image>): AsyncGenerator<string> {
  let block = '[';
  let separator = '';
  for await (const image of images) {
    block += separator + JSON.stringify(uploadView(image));
    separator = ',';
    if (block.length < blockLength) continue;
    yield block;
    block = '';
  }
  yield `${block}]`;
}

async function* whole(first: IteratorResult<string>, rest: AsyncGenerator<string>): AsyncGenerator<Buffer> {
  if (!first.done) yield Buffer.from(first.value);
  for await (const block of rest) yield Buffer.from(block);
}
