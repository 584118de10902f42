// thumbnails.ts — what an image looked like: the original to take away, and small pictures of before and after.
//
// An original is what a stranger sent, so it never opens in the browser; a thumbnail is ours.

import type { App } from '../../app.ts';
import { originalOf } from '../../batches/originals.ts';
import { openThumbnails } from '../../batches/thumbnails.ts';
import { privately, sendHead, serveFile } from '../../http/files.ts';
import { attachment } from '../../http/headers.ts';
import type { Http } from '../../http/http.ts';
import { readsId } from '../../http/ids.ts';
import { surfaceName } from './create.ts';
import { thumbnailQuery } from './image-schemas.ts';
import { theImage } from './images.ts';
import { id as params, noQuery } from './schemas.ts';

const tags = [surfaceName];
const onRequest = readsId('id');
const originalHeaders = {
  'cache-control': 'private, no-store',
  'content-security-policy': "default-src 'none'; sandbox",
};
/** It is shown by our own pages, and not the same for ever. */
const thumbnailHeaders = { ...privately, 'cross-origin-resource-policy': 'same-origin' };

export function addThumbnails(http: Http, app: App): void {
  const thumbnails = openThumbnails(app);
  http.get(
    '/v1/images/:id/source',
    {
      config: { scope: 'read' },
      onRequest,
      schema: {
        tags,
        operationId: 'getImageSource',
        summary: 'The uploaded picture, as it came',
        params,
        querystring: noQuery,
      },
    },
    async (request, reply) => {
      const image = await theImage(app, request);
      const original = await originalOf(app, image);
      const name = image.source.name || original.file;
      const answer = () =>
        reply
          .headers({ ...originalHeaders, 'content-disposition': attachment(name) })
          .type('application/octet-stream')
          .header('content-length', String(original.bytes));
      if (request.method === 'HEAD') return sendHead(answer());
      const body = await original.open();
      return answer().send(body);
    },
  );
  http.get(
    '/v1/images/:id/thumbnail',
    {
      config: { scope: 'read' },
      onRequest,
      schema: {
        tags,
        operationId: 'getImageThumbnail',
        summary: 'A small WebP of the source or the result',
        params,
        querystring: thumbnailQuery,
      },
    },
    async (request, reply) => {
      const image = await theImage(app, request);
      const { of = 'default', size = 256 } = request.query;
      const file = await thumbnails.fileOf(image, { of, size: size === 1600 ? 1600 : 256 });
      return serveFile(app, request, reply, file, thumbnailHeaders);
    },
  );
}
