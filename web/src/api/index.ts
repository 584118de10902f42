// index.ts — the API as the page uses it: the generated client, one line for each call.

import * as sdk from '../../../client/sdk.gen.ts';
import { answerOf, client } from './call.ts';
import type * as t from './answers.ts';

export { Refusal } from './call.ts';
export type * from './answers.ts';

const path = (id: string) => ({ path: { id } });
/** Empty filters are left out: the API refuses what it does not know, and '' is no state. */
const filled = <Q extends Record<string, unknown>>(query: Q): Q =>
  Object.fromEntries(Object.entries(query).filter(([, value]) => value !== '' && value !== undefined)) as Q;
const get = <T>(url: string, query: Record<string, unknown> = {}) =>
  answerOf<T>(client.get({ url, query: filled(query) }));
const send = <T>(method: 'POST' | 'DELETE', url: string, body?: unknown) =>
  answerOf<T>(
    client.request({
      method,
      url,
      ...(body !== undefined && { body, headers: { 'content-type': 'application/json' } }),
    }),
  );

export type ImagesQuery = {
  state?: t.ImageState;
  code?: string;
  host?: string;
  q?: string;
  from_position?: number;
  cursor?: string;
  limit?: number;
};
export type NewBatch = {
  name?: string;
  pipeline?: string;
  webhook_url?: string;
  sample?: boolean;
  images?: { source: { url: string } | { upload: string } }[];
  catalog?: { upload: string };
};

export const batches = {
  list: (query: { state?: string; q?: string; cursor?: string; limit?: number }) =>
    answerOf<t.Page<t.Batch>>(sdk.listBatches({ query: filled(query) as never })),
  get: (id: string) => answerOf<t.Batch>(sdk.getBatch(path(id))),
  create: (body: NewBatch) => answerOf<t.Batch>(sdk.createBatch({ body })),
  check: (body: NewBatch) => send<t.DryRun>('POST', '/v1/batches?dry_run=true', body),
  cancel: (id: string) => answerOf<t.Batch>(sdk.cancelBatch(path(id))),
  retry: (id: string, filter: { codes?: string[]; hosts?: string[]; image_ids?: string[] } = {}) =>
    answerOf<{ retried: number; batch: t.Batch }>(sdk.retryBatch({ ...path(id), body: filter })),
  remove: (id: string) => answerOf<void>(sdk.deleteBatch({ ...path(id), query: { cancel: true } })),
  images: (id: string, query: ImagesQuery) =>
    answerOf<t.Page<t.Image>>(sdk.listImages({ ...path(id), query: filled(query) })),
  failures: (id: string) => answerOf<{ items: t.FailureGroup[] }>(sdk.listFailures(path(id))),
  problems: (id: string) => answerOf<{ items: t.CsvProblem[]; total: number }>(sdk.listProblems(path(id))),
};

export const images = {
  get: (id: string) => answerOf<t.ImageStory>(sdk.getImage(path(id))),
  uploads: (query: { state?: string; name?: string; cursor?: string; limit?: number }) =>
    get<t.Page<t.Image>>('/v1/images', { ...query, source: 'upload' }),
  /** How many fit: lists tell no totals, so the pages are counted. */
  countUploads: async (query: { state?: string; name?: string }): Promise<number> => {
    let [sum, cursor]: [number, string | null] = [0, ''];
    while (cursor !== null) {
      const page: t.Page<t.Image> = await images.uploads({ ...query, cursor, limit: 500 });
      sum += page.items.length;
      cursor = page.next_cursor;
    }
    return sum;
  },
  find: (query: Record<string, unknown>) => get<t.Page<t.Image>>('/v1/images', query),
  retry: (id: string) => send<t.Image>('POST', `/v1/images/${id}/retry`),
  cancel: (id: string) => send<t.Image>('POST', `/v1/images/${id}/cancel`),
  remove: (id: string) => send<void>('DELETE', `/v1/images/${id}`),
  removeMany: (body: { image_ids: string[] } | { filter: object; expected_count: number }) =>
    send<{ deleted: number }>('POST', '/v1/images/delete', body),
};

export const operations = () => answerOf<{ items: t.Operation[] }>(sdk.listOperations());
export const errors = () => answerOf<{ items: t.ErrorCode[] }>(sdk.listErrors());
export const checkPipeline = (pipeline: string) =>
  answerOf<{ canonical: string }>(sdk.checkPipeline({ body: { pipeline } }));
export const health = () => get<t.Health>('/health');

export const admin = {
  overview: () => get<t.Overview>('/v1/admin/overview'),
  failures: () => get<{ items: t.FailureGroup[] }>('/v1/admin/failures'),
  retry: (filter: { codes?: string[]; hosts?: string[] }) =>
    send<{ retried: number }>('POST', '/v1/admin/retry', filter),
  sweep: () => send<{ files: number; bytes: number }>('POST', '/v1/admin/sweep'),
  deliveries: () => get<t.Page<t.Delivery>>('/v1/deliveries', { limit: 50 }),
  redeliver: (id: string) => send<unknown>('POST', `/v1/deliveries/${id}/redeliver`),
  testWebhook: (url: string) =>
    send<{ status: number | null; ms: number; excerpt: string; error: string | null }>(
      'POST',
      '/v1/webhooks/test',
      url === '' ? {} : { url },
    ),
  keys: () => get<t.Page<t.Key>>('/v1/admin/keys'),
  createKey: (body: { name: string; scope: string; owner?: string }) =>
    send<t.Key & { key: string; webhook_secret: string }>('POST', '/v1/admin/keys', body),
  revokeKey: (id: string) => send<void>('DELETE', `/v1/admin/keys/${id}`),
};
