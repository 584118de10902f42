// images-schemas.ts — what D takes and gives, for validation and the documents.

import Type from 'typebox';

export const jobId = Type.Object({ jobId: Type.String({ description: 'Id of the job' }) });

export const resultName = Type.Object({
  name: Type.String({ description: 'Id of the job, a dot, and the extension of the result.' }),
});

export const processRequest = Type.Object(
  {
    imageUrl: Type.String({ description: 'Where the picture is: http or https.' }),
    transformations: Type.Optional(
      Type.Array(Type.String(), {
        description: 'Operations in order. The result is PNG unless one of them says else.',
      }),
    ),
  },
  { examples: [{ imageUrl: 'https://example.com/image.jpg', transformations: ['resize:100x100', 'grayscale'] }] },
);

export const accepted = Type.Object({ jobId: Type.String(), status: Type.Enum(['PENDING']) });

const textOrNull = Type.Union([Type.String(), Type.Null()]);

export const job = Type.Object({
  jobId: Type.String(),
  status: Type.Enum(['PENDING', 'PROCESSING', 'COMPLETED', 'FAILED']),
  resultUrl: textOrNull,
  errorMessage: textOrNull,
  attempts: Type.Integer(),
  createdAt: Type.String({ format: 'date-time' }),
  updatedAt: Type.String({ format: 'date-time' }),
});
