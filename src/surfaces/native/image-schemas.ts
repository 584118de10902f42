// image-schemas.ts — what /v1/images takes.

import Type, { type Static } from 'typebox';

const closed = { additionalProperties: false };

const filters = {
  source_url: Type.Optional(Type.String({ minLength: 1, maxLength: 4096, description: 'The whole URL.' })),
  serial_number: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
  product_name: Type.Optional(Type.String({ minLength: 1, maxLength: 200, description: 'Part of it, any case.' })),
  ref: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
  name: Type.Optional(Type.String({ minLength: 1, maxLength: 200, description: 'Part of the file name, any case.' })),
  source: Type.Optional(Type.Enum(['upload'], { description: 'Only what was uploaded.' })),
  state: Type.Optional(Type.Enum(['queued', 'dispatched', 'running', 'succeeded', 'failed', 'canceled'])),
  code: Type.Optional(Type.String({ minLength: 1, maxLength: 50 })),
};

const filter = Type.Object(filters, closed);
export type Filter = Static<typeof filter>;

export const searchQuery = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, description: 'Items of a page; 50.' })),
    cursor: Type.Optional(Type.String({ maxLength: 1000 })),
    ...filters,
  },
  closed,
);

export const thumbnailQuery = Type.Object(
  {
    of: Type.Optional(Type.Enum(['source', 'default'], { description: 'Before, or after (as it is without).' })),
    size: Type.Optional(Type.Integer({ enum: [256, 1600], description: 'Of the box it fits into; 256.' })),
  },
  closed,
);

export const deleteBody = Type.Object(
  {
    image_ids: Type.Optional(Type.Array(Type.String({ maxLength: 100 }), { minItems: 1, maxItems: 1000 })),
    filter: Type.Optional(filter),
    expected_count: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 1_000_000, description: 'How many match: with another number none goes.' }),
    ),
  },
  { ...closed, examples: [{ filter: { state: 'failed', source: 'upload' }, expected_count: 3 }] },
);
export type DeleteBody = Static<typeof deleteBody>;

export const deleteAnswer = { 202: Type.Object({ deleted: Type.Integer() }) };
