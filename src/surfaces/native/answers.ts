// answers.ts — what /v1 answers: batches, images and the lists about them, for the documents and the generated client.
//
// The views are held against these by the compiler, and what really comes by test/openapi.test.ts. A schema with a title
// becomes a type of that name in the client.

import Type from 'typebox';
import { orNull, pageOf } from './admin-schemas.ts';
import { batchStates, imageStates } from './schemas.ts';

const text = Type.String();
const count = Type.Integer();
const textOrNull = orNull(text);
const countOrNull = orNull(count);
const moment = Type.String({ format: 'date-time' });
const momentOrNull = orNull(moment);
const link = Type.String({ format: 'uri' });
const id = Type.String({ format: 'uuid' });

export const counts = Type.Object(
  { total: count, succeeded: count, failed: count, canceled: count, remaining: count },
  { title: 'Counts' },
);

const progress = Type.Object({
  percent: Type.Number(),
  images_per_second: orNull(Type.Number({ description: 'Over the last half minute.' })),
  eta_seconds: countOrNull,
  slowest_host: orNull(Type.String({ description: 'The host for which an image waits longest.' })),
});

const bytes = Type.Object({
  in: Type.Number(),
  out: Type.Number(),
  saved_percent: orNull(Type.Number()),
});

export const batch = Type.Object(
  {
    id,
    name: textOrNull,
    surface: Type.String({ description: 'The API by which it came.' }),
    state: Type.Enum([...batchStates]),
    generation: Type.Integer({ description: 'Runs of the batch: one more for each retry.' }),
    lane: Type.Enum(['interactive', 'bulk', 'suspects']),
    counts,
    progress,
    bytes,
    renditions: Type.Record(text, Type.Array(text), { description: 'Canonical pipelines by name.' }),
    problems: Type.Integer({ description: 'Of the catalog; /problems lists them.' }),
    error: orNull(Type.String({ description: 'Why the whole batch has no result.' })),
    webhook: orNull(Type.Object({ url: text, state: textOrNull })),
    created_at: moment,
    started_at: momentOrNull,
    finished_at: momentOrNull,
    expires_at: orNull(Type.String({ format: 'date-time', description: 'When its results were let go.' })),
    links: Type.Object({
      self: link,
      images: link,
      failures: link,
      output_csv: link,
      failed_csv: link,
      events: link,
      page: link,
    }),
  },
  { title: 'Batch' },
);

const imageError = Type.Object(
  {
    code: text,
    message: text,
    retryable: Type.Boolean(),
    http_status: orNull(Type.Integer({ description: 'What the host of the source answered.' })),
    host: textOrNull,
  },
  { title: 'ImageError' },
);

const rendition = Type.Object(
  {
    name: text,
    pipeline: orNull(Type.Array(text)),
    url: orNull(Type.String({ format: 'uri', description: 'Null once it has expired.' })),
    media_type: textOrNull,
    width: count,
    height: count,
    bytes: countOrNull,
    quality: countOrNull,
    score: orNull(Type.Number({ description: 'How alike it looks, from 0 to 1; null unless a target was asked for.' })),
    kept_original: Type.Boolean({ description: 'The source was smaller than what we made of it.' }),
    warnings: Type.Array(text),
  },
  { title: 'Rendition' },
);

const imageKeys = {
  id,
  batch_id: id,
  position: Type.Integer({ description: 'Place in the batch, from 1.' }),
  ref: textOrNull,
  product: orNull(Type.Object({ line: count, serial_number: textOrNull, name: textOrNull })),
  source: Type.Object({
    url: orNull(Type.String({ description: 'Null for an upload.' })),
    name: textOrNull,
    media_type: textOrNull,
    width: countOrNull,
    height: countOrNull,
    bytes: countOrNull,
    sha256: textOrNull,
  }),
  state: Type.Enum([...imageStates]),
  attempts: count,
  next_attempt_at: momentOrNull,
  error: orNull(imageError),
  warnings: Type.Array(text),
  renditions: Type.Array(rendition),
  created_at: moment,
  started_at: momentOrNull,
  finished_at: momentOrNull,
  links: Type.Object({ self: link, batch: link, source: orNull(link), thumbnail: link, page: link }),
};

export const image = Type.Object(imageKeys, { title: 'Image' });

const ms = Type.Number();
const timings = Type.Object({ waiting: ms, fetch: ms, decode: ms, transform: ms, encode: ms, store: ms });
const attempt = Type.Object(
  {
    attempt: count,
    worker: text,
    started_at: moment,
    finished_at: moment,
    outcome: text,
    error: orNull(imageError),
  },
  { title: 'Attempt' },
);

export const imageStory = Type.Object(
  { ...imageKeys, timings_ms: orNull(timings), history: Type.Array(attempt, { description: 'The last ten.' }) },
  { title: 'ImageStory', description: 'An image with its timings and tries.' },
);

export const batchPage = pageOf(batch);
export const imagePage = pageOf(image);

export const failures = Type.Object({
  items: Type.Array(
    Type.Object(
      {
        code: text,
        host: textOrNull,
        count,
        retryable: Type.Boolean(),
        message: text,
        remedy: textOrNull,
        example_image_ids: Type.Array(id),
      },
      { title: 'FailureGroup' },
    ),
  ),
});

const csvProblem = Type.Object(
  { line: count, column: textOrNull, code: text, message: textOrNull, value: textOrNull },
  { title: 'CsvProblem' },
);
export const problems = Type.Object({ items: Type.Array(csvProblem), total: count });

/** Of POST /v1/batches?dry_run=true. */
export const rehearsal = Type.Object(
  {
    rows: count,
    images: count,
    duplicates: Type.Integer({ description: 'Images whose source occurs earlier: each is fetched once.' }),
    problems: Type.Array(csvProblem),
    problems_total: count,
    hosts: Type.Array(Type.Object({ host: text, images: count })),
  },
  { title: 'Rehearsal', description: 'What the batch would be.' },
);

export const operations = Type.Object({
  items: Type.Array(
    Type.Object(
      {
        name: text,
        aliases: Type.Array(text),
        kind: text,
        summary: text,
        examples: Type.Array(text),
        args: Type.Array(
          Type.Object({
            name: text,
            required: Type.Boolean(),
            default: Type.Optional(Type.Unknown()),
            allowed: Type.String({ description: 'What it takes, in words.' }),
          }),
        ),
        schema: Type.Unknown({ description: 'JSON Schema of its form as an object.' }),
      },
      { title: 'Operation' },
    ),
  ),
});

export const presets = Type.Object({
  items: Type.Array(
    Type.Object({ name: text, summary: text, canonical: text, pipeline: Type.Array(text) }, { title: 'Preset' }),
  ),
});

export const errors = Type.Object({
  items: Type.Array(
    Type.Object(
      { code: text, status: count, sentence: text, remedy: textOrNull, retryable: Type.Boolean() },
      { title: 'ErrorCode' },
    ),
  ),
});

export const checkedPipeline = Type.Object({ canonical: text, operations: Type.Array(text) });

/** One event, on the stream, on a page and as the body of a webhook. */
const event = Type.Object(
  {
    id: Type.Optional(Type.String({ description: 'Absent on what is not kept.' })),
    type: text,
    timestamp: moment,
    data: Type.Record(text, Type.Unknown()),
  },
  { title: 'Event' },
);
export const eventPage = Type.Object(
  {
    items: Type.Array(event),
    next_after: Type.String({ description: 'For `after` of the next page.' }),
    more: Type.Boolean(),
    reset: Type.Boolean({ description: 'Older events than those kept were asked for: look at everything anew.' }),
  },
  { description: 'With Accept: application/json; else a stream of events.' },
);

export const batchAnswers = { 200: batch, 202: batch };
/** Of POST /v1/batches. */
export const createAnswers = { 200: Type.Union([batch, rehearsal]), 202: batch };
export const retryAnswers = { 202: Type.Object({ retried: count, batch }) };
/** At once, or when it has ended. */
export const imageAnswers = { 200: imageStory, 202: imageStory };
