// schemas.ts — what /v1 takes. Unknown keys are refused everywhere: a misspelt filter must not return everything.

import Type from 'typebox';
import { csvText } from '../catalog-schemas.ts';
import { largestPosition } from './cursor.ts';

const closed = { additionalProperties: false };
const wait = Type.Optional(Type.Integer({ minimum: 0, maximum: 60, description: 'Seconds to wait for the end.' }));
const limit = Type.Optional(Type.Integer({ minimum: 1, maximum: 500, description: 'Items of a page; 50.' }));
const cursor = Type.Optional(Type.String({ maxLength: 1000 }));
export const batchStates = [
  'expanding',
  'queued',
  'running',
  'succeeded',
  'partially_succeeded',
  'failed',
  'canceled',
] as const;
export const imageStates = ['queued', 'dispatched', 'running', 'succeeded', 'failed', 'canceled'] as const;

export const id = Type.Object({ id: Type.String({ description: 'UUID' }) });

export const waitQuery = Type.Object({ wait }, closed);
export const noQuery = Type.Object({}, closed);
export const deleteQuery = Type.Object({ cancel: Type.Optional(Type.Boolean()) }, closed);

export const batchesQuery = Type.Object(
  {
    limit,
    cursor,
    state: Type.Optional(Type.Enum([...batchStates])),
    surface: Type.Optional(Type.String({ maxLength: 50 })),
    q: Type.Optional(Type.String({ maxLength: 200, description: 'Part of the name.' })),
    created_after: Type.Optional(Type.String({ maxLength: 40, description: 'RFC 3339' })),
    created_before: Type.Optional(Type.String({ maxLength: 40, description: 'RFC 3339' })),
  },
  closed,
);

export const imagesQuery = Type.Object(
  {
    limit,
    cursor,
    state: Type.Optional(Type.Enum([...imageStates])),
    code: Type.Optional(Type.String({ maxLength: 50 })),
    host: Type.Optional(Type.String({ maxLength: 300 })),
    q: Type.Optional(Type.String({ maxLength: 200 })),
    from_position: Type.Optional(
      Type.Integer({ minimum: 1, maximum: largestPosition, description: 'Jumps to this place of the batch.' }),
    ),
  },
  closed,
);

export const outputQuery = Type.Object(
  {
    form: Type.Optional(Type.Enum(['original', 'seed', 'long'])),
    excel: Type.Optional(Type.Boolean()),
    partial: Type.Optional(Type.Boolean()),
  },
  closed,
);
export const failedQuery = Type.Object({ partial: Type.Optional(Type.Boolean()) }, closed);

const words = Type.Array(Type.String({ minLength: 1, maxLength: 300 }), { minItems: 1, maxItems: 1000 });
export const retryBody = Type.Object(
  { codes: Type.Optional(words), hosts: Type.Optional(words), image_ids: Type.Optional(words) },
  closed,
);

const pipeline = Type.Union([Type.String({ maxLength: 4096 }), Type.Array(Type.Unknown(), { maxItems: 100 })]);

const image = Type.Object(
  {
    source: Type.Object(
      {
        url: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
        upload: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
      },
      closed,
    ),
    ref: Type.Optional(Type.String({ maxLength: 255 })),
    product: Type.Optional(
      Type.Object({ serial_number: Type.String({ maxLength: 255 }), name: Type.String({ maxLength: 1000 }) }, closed),
    ),
  },
  closed,
);

const common = {
  name: Type.Optional(Type.String({ maxLength: 255 })),
  webhook_url: Type.Optional(Type.String({ maxLength: 2048 })),
  pipeline: Type.Optional(pipeline),
  renditions: Type.Optional(Type.Record(Type.String(), pipeline)),
  preset: Type.Optional(Type.String({ maxLength: 100 })),
};

/** What comes beside files, in a form or in the query. */
export const besideFile = Type.Object(
  {
    ...common,
    strict: Type.Optional(Type.Boolean({ description: 'Refuses a CSV with a URL that is none.' })),
    dry_run: Type.Optional(Type.Boolean({ description: 'Tells what the batch would be, and makes none.' })),
    wait,
  },
  closed,
);

export const newBatch = Type.Object(
  {
    ...common,
    images: Type.Optional(Type.Array(image, { minItems: 1, maxItems: 2000 })),
    catalog: Type.Optional(Type.Object({ upload: Type.String({ minLength: 1, maxLength: 255 }) }, closed)),
    sample: Type.Optional(Type.Boolean()),
    strict: Type.Optional(Type.Boolean()),
  },
  {
    ...closed,
    examples: [{ images: [{ source: { url: 'https://cdn.example.com/17.jpg' } }], pipeline: 'fit:1600x/webp:80' }],
  },
);

/** What POST /v1/batches takes, by media type. */
export const batchBodies = {
  'application/json': newBatch,
  'multipart/form-data': Type.Object(
    {
      file: Type.Array(Type.String({ format: 'binary' }), { description: 'Pictures, or exactly one CSV.' }),
      ...besideFile.properties,
    },
    closed,
  ),
  'text/csv': csvText,
};

/** What POST /v1/uploads takes: pictures and catalogs, told apart by their content. */
export const uploadBodies = {
  'multipart/form-data': Type.Object({ file: Type.Array(Type.String({ format: 'binary' }), { minItems: 1 }) }, closed),
};
export const noFields = Type.Object({}, closed);

export const noAnswer = { 204: Type.Null({ description: 'It is deleted.' }) };

export const uploadAnswer = {
  201: Type.Object(
    {
      items: Type.Array(
        Type.Object({
          upload: Type.String({ description: 'Its name in `source.upload` and `catalog.upload`.' }),
          name: Type.String(),
          media_type: Type.String(),
          bytes: Type.Integer(),
          sha256: Type.String(),
        }),
      ),
    },
    { description: 'What was taken, in the order of the form; kept 24 hours unless a batch names it.' },
  ),
};

export const pipelineBody = Type.Object({ pipeline }, closed);
