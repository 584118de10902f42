// samples.ts — serves the sample catalog and its pictures, so that the first run needs no network.
//
// No dialect: routes without a shape of errors or a webhook. Files for everybody: a worker fetches them without a key, as it would from a shop.

import { Type } from '@fastify/type-provider-typebox';
import { Readable } from 'node:stream';
import type { App } from '../app.ts';
import type { Http, RouteSet } from '../http/http.ts';
import { problem } from '../problem.ts';
import { sampleCatalog, sampleFolder } from '../samples/catalog.ts';
import { samplePicture } from '../samples/pictures.ts';

const name = 'samples';

export const samples: RouteSet = {
  name,
  summary: 'A catalog to try things with, and its pictures.',
  routes,
};

function routes(http: Http, app: App): void {
  http.get(
    `${sampleFolder}/catalog.csv`,
    {
      config: { scope: 'public' },
      schema: { tags: [name], operationId: 'sampleCatalog', summary: 'The sample catalog as CSV' },
    },
    async (_request, reply) =>
      reply
        .header('cache-control', 'no-store')
        .type('text/csv; charset=utf-8')
        .send(sampleCatalog(app.config.publicUrl)),
  );

  http.get(
    `${sampleFolder}/:name`,
    {
      config: { scope: 'public' },
      schema: {
        tags: [name],
        operationId: 'samplePicture',
        summary: 'A picture of the sample catalog',
        params: Type.Object({ name: Type.String() }),
      },
    },
    async (request, reply) => {
      const picture = await samplePicture(app, request.params.name);
      if (!picture) throw problem('not_found');
      const bytes = picture.body.reduce((sum, chunk) => sum + chunk.length, 0);
      return reply
        .header('cache-control', 'public, max-age=3600')
        .header('content-length', bytes)
        .type(picture.mediaType)
        .send(Readable.from(picture.body));
    },
  );
}
