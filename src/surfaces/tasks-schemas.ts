// tasks-schemas.ts — what E takes and gives, for validation and the documents.

import Type from 'typebox';

export const taskId = Type.Object({ task_id: Type.String({ description: 'Id of the task' }) });

const fields = (maxSide: number) => ({
  width: Type.Optional(Type.Integer({ minimum: 1, maximum: maxSide })),
  height: Type.Optional(Type.Integer({ minimum: 1, maximum: maxSide, description: 'At least one side is needed.' })),
  preserve_ratio: Type.Optional(Type.Boolean({ description: 'Fits into the box; false stretches. True if absent.' })),
});

/** The fields beside the file. */
export const taskFields = (maxSide: number) => Type.Object(fields(maxSide));

/** The whole form. */
export const taskForm = (maxSide: number) =>
  Type.Object({ file: Type.String({ format: 'binary', description: 'The picture.' }), ...fields(maxSide) });

const state = { id: Type.String(), status: Type.Enum(['pending', 'processing', 'completed', 'failed']) };
const textOrNull = Type.Union([Type.String(), Type.Null()]);
const sideOrNull = Type.Union([Type.Integer(), Type.Null()]);
const created_at = Type.String({ format: 'date-time' });

export const accepted = Type.Object({
  ...state,
  created_at,
  completed_at: textOrNull,
  width: sideOrNull,
  height: sideOrNull,
  preserve_ratio: Type.Boolean(),
});

export const task = Type.Object({ ...state, created_at, completed_at: textOrNull, error: textOrNull });

export const resultQuery = Type.Object({
  format: Type.Optional(Type.Enum(['raw', 'json'], { description: 'Before the Accept header, which decides else.' })),
});

export const result = Type.Object({
  status: Type.Enum(['completed', 'failed']),
  data: Type.Union([Type.String({ description: 'The file in base64.' }), Type.Null()]),
  content_type: Type.Optional(Type.String()),
  width: Type.Optional(Type.Integer()),
  height: Type.Optional(Type.Integer()),
  size: Type.Optional(Type.Integer()),
  url: Type.Optional(Type.String()),
  error: Type.Optional(Type.String()),
});

export const unfinished = Type.Object({ status: Type.Enum(['pending', 'processing']), data: Type.Null() });
