// docs-shapes.ts — the three forms in which problems are told, for the documents.

import Type from 'typebox';

const code = Type.String({ description: 'Keeps its meaning for ever; /help/errors lists them.' });

/** RFC 9457: /v1 and whatever no dialect owns. */
const problem = Type.Object(
  {
    type: Type.String({ format: 'uri', description: 'A page about this code.' }),
    title: Type.String(),
    status: Type.Integer(),
    code,
    detail: Type.String(),
    instance: Type.String(),
    request_id: Type.String(),
    retryable: Type.Boolean({ description: 'The same request may succeed later.' }),
    remedy: Type.Optional(Type.String()),
    errors: Type.Optional(
      Type.Array(Type.Object({ pointer: Type.String({ description: 'JSON pointer' }), detail: Type.String() })),
    ),
  },
  { title: 'Problem' },
);

/** A and B. */
const error = Type.Object({ error: Type.String(), code }, { title: 'ErrorBody' });

/** C, D and E: a sentence, or all faults of form with their places. */
const detail = Type.Object(
  {
    detail: Type.Union([
      Type.String(),
      Type.Array(
        Type.Object({
          type: Type.String(),
          loc: Type.Array(Type.Union([Type.String(), Type.Integer()])),
          msg: Type.String(),
          input: Type.Optional(Type.Unknown()),
        }),
      ),
    ]),
    code,
  },
  { title: 'DetailBody' },
);

export const bodies = { problem, error, detail };
