// uploads-schemas.ts — what surface A takes and gives, for validation and the documents.

import Type from 'typebox';
import { uploadWords } from './uploads-views.ts';

const file = Type.String({ format: 'binary' });

/** Read by the routes themselves, because files stream. */
export const oneImage = { 'multipart/form-data': Type.Object({ image: file }) };
export const manyImages = {
  'multipart/form-data': Type.Object({ images: Type.Array(file, { description: 'Also images[] and image.' }) }),
};

const head = {
  id: Type.String(),
  job_id: Type.String({ description: 'The same id.' }),
  name: Type.String(),
  size: Type.Integer({ description: 'Bytes sent.' }),
  status: Type.Enum([...uploadWords]),
  code: Type.Union([Type.String(), Type.Null()], { description: 'Why it failed.' }),
};
const textOrNull = Type.Union([Type.String(), Type.Null()]);
const whole = {
  ...head,
  type: Type.Union([Type.String(), Type.Null()], { description: 'Media type of what was sent, told by its bytes.' }),
  image: Type.Union([Type.String(), Type.Null()], { description: 'Path of the result.' }),
  uploaded_at: Type.String({ format: 'date-time' }),
  finished_at: textOrNull,
  upload_time: textOrNull,
};

const message = Type.String();
const batch_id = Type.String();

export const uploaded = Type.Object({ message, batch_id, ...whole });
export const initiated = Type.Object({ message, batch_id, images: Type.Array(Type.Object(head)) });
export const list = Type.Array(Type.Object(whole));

export const listQuery = Type.Object({
  limit: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 1000, description: 'Page by page, with a Link to the next. Else all.' }),
  ),
  cursor: Type.Optional(Type.String()),
  status: Type.Optional(Type.Enum([...uploadWords])),
});
