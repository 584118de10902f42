// answers.ts — what /v1 answers, in the page's words: the types of the generated client and nothing of its own.

import type {
  CreateUploadsResponse,
  GetDeliveryResponse,
  GetOverviewResponse,
  GetSessionResponse,
  HealthResponse,
  Image,
  ListKeysResponse,
} from '../../../client/types.gen.ts';

export type {
  Batch,
  Counts,
  CsvProblem,
  ErrorCode,
  FailureGroup,
  Image,
  ImageError,
  ImageStory,
  Operation,
  Problem as ProblemBody,
  Rehearsal as DryRun,
  Rendition,
} from '../../../client/types.gen.ts';

export type Page<Item> = { items: Item[]; next_cursor: string | null };

export type ImageState = Image['state'];
export type Upload = CreateUploadsResponse['items'][number];
export type Session = GetSessionResponse;
export type Health = HealthResponse;
export type Overview = GetOverviewResponse;
export type Delivery = GetDeliveryResponse;
export type Key = ListKeysResponse['items'][number];
