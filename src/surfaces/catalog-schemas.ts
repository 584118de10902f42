// catalog-schemas.ts — what B and C take and give, for validation and the documents.

import Type from 'typebox';

export const requestId = Type.Object({ request_id: Type.String({ description: 'Id of the request' }) });

const beside = {
  webhook_url: Type.Optional(Type.String({ description: 'Called once when the catalog has ended.' })),
  webhook_format: Type.Optional(Type.Enum(['json', 'multipart'])),
};

export const csvFile = Type.String({ format: 'binary', description: 'The CSV. Also csv_file, csvFile, csv.' });
export const csvText = Type.String({ description: 'The CSV itself; what stands beside it goes into the query.' });

/** The three ways in which a catalog may come. */
export const catalogBodies = {
  'multipart/form-data': Type.Object({ file: csvFile, ...beside }),
  'application/json': Type.Object({
    file: Type.String({ description: 'The CSV as text, or as a data: URI.' }),
    ...beside,
  }),
  'text/csv': csvText,
};

export const accepted = Type.Object(
  {
    request_id: Type.String(),
    status: Type.String(),
    total_images: Type.Integer(),
    warnings: Type.Array(Type.Object({ code: Type.String(), line: Type.Integer() })),
  },
  {
    examples: [
      { request_id: '0199a3c4-5b1e-7c3d-9f00-2b7c8f1e4a55', status: 'pending', total_images: 4, warnings: [] },
    ],
  },
);

const textOrNull = Type.Union([Type.String(), Type.Null()]);

export const status = Type.Object({
  request_id: Type.String(),
  status: Type.Enum(['pending', 'processing', 'completed', 'failed']),
  created_at: Type.String({ format: 'date-time' }),
  completed_at: textOrNull,
  total_images: Type.Integer(),
  processed_images: Type.Integer(),
  failed_images: Type.Integer(),
  output_csv_url: textOrNull,
  failed_csv_url: textOrNull,
  error: textOrNull,
});

export const uploadQuery = Type.Object({
  strict: Type.Optional(Type.Boolean({ description: 'Refuse the catalog when a URL in it is none.' })),
});

export const downloadQuery = Type.Object({
  form: Type.Optional(Type.Enum(['seed', 'original', 'failed'])),
  partial: Type.Optional(Type.Boolean({ description: 'Give what is there before the end.' })),
  excel: Type.Optional(Type.Boolean({ description: 'Made harmless for spreadsheets.' })),
});
