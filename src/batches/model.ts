// model.ts — the words of the heart: batches, images, and the states they pass through.
//
//   image   queued ──claim──> running ──settle──> succeeded | failed
//             ^  └─relay─> dispatched ─start─┘  │
//             └────── retry later, released, parked, worker lost ┘        queued, dispatched ──cancel──> canceled
//
//   batch   expanding ─> queued ─> running ─> succeeded | partially_succeeded | failed | canceled ──retry──> running
//
// PostgreSQL is the truth: a state is what the row says, and only the statements in this folder change it.

import type { CatalogProblem, Dialect } from '../catalogs/catalog.ts';
import type { BatchState, ImageState } from '../db/schema.ts';
import type { Recipe } from '../imaging/imaging.ts';
import type { Code } from '../problem.ts';
import type { Lane } from '../queue/queue.ts';

export type { BatchState, ImageState };

export const openStates = ['expanding', 'queued', 'running'] as const satisfies BatchState[];

/** True when the batch has ended: its counts are final and its results can be fetched. */
export function hasEnded(state: BatchState): boolean {
  return !(openStates as readonly BatchState[]).includes(state);
}

export function imageHasEnded(state: ImageState): boolean {
  return state === 'succeeded' || state === 'failed' || state === 'canceled';
}

export type Rendition = { name: string; recipe: Recipe };

/** Where a picture comes from: a URL, or the storage name of an uploaded file. */
export type Source = { url: string } | { upload: string };

/** An upload that is no picture: nothing of it is kept, but it has its place among the others, born failed. */
export type Refused = { refused: Code; bytes: number };

export type NewImage = {
  source: Source | { invalid: string } | Refused;
  ref?: string;
  /** File name as the user knows it; shown, never used. */
  name?: string;
  product?: { serial: string; name: string };
};

/** A catalog that has been received: whole in storage, read once. */
export type ReceivedCatalog = {
  /** Name in `files` and in storage. */
  file: string;
  bytes: number;
  sha256: Buffer;
  dialect: Dialect;
  products: number;
  images: number;
  problems: CatalogProblem[];
  problemCount: number;
};

export type NewBatch = {
  surface: string;
  /** Label of the key that sent it; '' while there are no keys. */
  owner: string;
  name?: string;
  /** How many of our own webhooks led to this request. */
  hop?: number;
  renditions: Rendition[];
  content: { images: NewImage[] } | { catalog: ReceivedCatalog };
  webhook?: { url: string; format?: 'json' | 'multipart' };
};

/** A batch as the surfaces see it. */
export type Batch = {
  id: string;
  name: string | null;
  surface: string;
  owner: string;
  state: BatchState;
  generation: number;
  lane: Lane;
  renditions: Rendition[];
  counts: { total: number; succeeded: number; failed: number; canceled: number };
  bytes: { in: number; out: number };
  catalog: string | null;
  dialect: Dialect | null;
  problems: CatalogProblem[];
  problemCount: number;
  webhook: { url: string; format: string; state: string | null } | null;
  errorCode: string | null;
  createdAt: Date;
  startedAt: Date | null;
  finishedAt: Date | null;
  /** When its results were let go; null while they are kept. */
  expiresAt: Date | null;
};

/** One result as it stands in an image's record. `url` is null once it has expired. */
export type RenditionView = {
  name: string;
  /** Null when the image asks for it no more. */
  recipe: Recipe | null;
  file: string | null;
  mediaType: string | null;
  width: number;
  height: number;
  bytes: number | null;
  quality: number | null;
  /** How alike it looks to the picture before it was encoded; null unless a look was asked for. */
  score: number | null;
  keptOriginal: boolean;
  warnings: string[];
};

export type Attempt = {
  attempt: number;
  worker: string;
  startedAt: string;
  finishedAt: string;
  outcome: string;
  error: { code: string; host?: string; httpStatus?: number } | null;
};

export type Image = {
  id: string;
  batchId: string;
  position: number;
  ref: string | null;
  product: { line: number; serial: string | null; name: string | null } | null;
  source: {
    url: string | null;
    name: string | null;
    mediaType: string | null;
    width: number | null;
    height: number | null;
    bytes: number | null;
    sha256: string | null;
  };
  state: ImageState;
  attempts: number;
  nextAttemptAt: Date | null;
  error: { code: string; host: string | null; httpStatus: number | null } | null;
  warnings: string[];
  renditions: RenditionView[];
  /** Milliseconds; null before the first success. */
  timings: Record<TimingName, number> | null;
  history: Attempt[];
  createdAt: Date;
  startedAt: Date | null;
  finishedAt: Date | null;
};

export const timingNames = ['waiting', 'fetch', 'decode', 'transform', 'encode', 'store'] as const;
export type TimingName = (typeof timingNames)[number];

/** Failures of a batch that have the same cause. */
export type FailureGroup = { code: string; host: string | null; count: number; exampleImageIds: string[] };

/** One line of a catalog with its images, in input order: what the output CSV is written from. */
export type ProductView = {
  line: number;
  serial: string;
  name: string;
  cells: string[] | null;
  images: { input: string; state: ImageState; errorCode: string | null; file: string | null }[];
};

export type { CatalogProblem };
