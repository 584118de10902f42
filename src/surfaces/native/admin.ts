// admin.ts — /v1/admin: what an operator sees and may do over all owners.
//
// Every button of the admin page is one of these calls. What they change is bounded: a round of retention or of retries
// ends when the caller hangs up, and the next call goes on from there.

import type { App } from '../../app.ts';
import {
  hostViews,
  openFileCount,
  queueViews,
  troubledReceivers,
  workerViews,
  type QueueView,
  type WorkerView,
} from '../../batches/overview.ts';
import { prune } from '../../batches/prune.ts';
import { failuresOfAll, retryAll, type FailureFilter } from '../../batches/repair.ts';
import { emptyTrash } from '../../batches/sweep.ts';
import type { Answering, Http } from '../../http/http.ts';
import { sendOutcome, type Answer } from '../../http/idempotency.ts';
import { entryOf, imageSentence, isCode, problem } from '../../problem.ts';
import { isApart, version } from '../../version.ts';
import * as forms from './admin-schemas.ts';
import { onceAfterwards } from './once.ts';

const tags = ['native'];

export function addAdmin(http: Http, app: App): void {
  addOverview(http, app);
  addRepair(http, app);
  http.post(
    '/v1/admin/sweep',
    {
      config: { scope: 'admin' },
      schema: {
        tags,
        operationId: 'sweep',
        summary: 'Let go now of what has been kept long enough',
        querystring: forms.noQuery,
        response: { 200: forms.swept },
      },
    },
    async (request, reply) => {
      const signal = whileHere(reply);
      const outcome = await onceAfterwards(app, request, {}, async () => {
        await prune(app, signal);
        return whole(signal, { status: 200, headers: {}, body: await emptyTrash(app, signal) });
      });
      return sendOutcome(reply, outcome);
    },
  );
}

function addOverview(http: Http, app: App): void {
  const fileBytes = openFileCount(app);
  http.get(
    '/v1/admin/overview',
    {
      config: { scope: 'admin' },
      schema: {
        tags,
        operationId: 'getOverview',
        summary: 'Queues, workers, hosts, receivers and storage at a glance',
        querystring: forms.noQuery,
        response: { 200: forms.overview },
      },
    },
    async () => {
      const [queues, workers, hosts, receivers] = await Promise.all([
        queueViews(app),
        workerViews(app),
        hostViews(app),
        troubledReceivers(app),
      ]);
      const room = await app.storage.room();
      const troubled = receivers.map(({ owner, url, failing_since, disabled_at }) => ({
        owner,
        url,
        failing_since: timeOf(failing_since),
        disabled_at: timeOf(disabled_at),
      }));
      const { ok, detail = null, freeBytes = null, totalBytes = null } = room;
      const storage = { name: app.storage.name, ok, detail, free_bytes: freeBytes, total_bytes: totalBytes };
      return {
        queues: queues.map(({ oldestSeconds, ...queue }) => ({ ...queue, oldest_seconds: oldestSeconds })),
        workers: workers.map(workerView),
        hosts: hosts.map(({ retryAt, ...host }) => ({ ...host, retry_at: timeOf(retryAt) })),
        deliveries: { receivers: troubled },
        storage: { ...storage, used_bytes: await fileBytes() },
        warnings: warningsOf({ queues, workers, disabled: troubled.filter((each) => each.disabled_at).length, room }),
      };
    },
  );
}

function addRepair(http: Http, app: App): void {
  http.get(
    '/v1/admin/failures',
    {
      config: { scope: 'admin' },
      schema: {
        tags,
        operationId: 'listAllFailures',
        summary: 'Failures by cause over all batches',
        querystring: forms.failuresQuery,
        response: { 200: forms.failures },
      },
    },
    async (request) => {
      const groups = await failuresOfAll(app, sinceOf(request.query.since, 'query'));
      const items = groups.map(({ code, exampleImageIds, ...group }) => ({
        code,
        ...group,
        retryable: isCode(code) && entryOf(code).retryable,
        message: imageSentence(code),
        remedy: (isCode(code) && entryOf(code).remedy) || null,
        example_image_ids: exampleImageIds,
      }));
      return { items };
    },
  );
  http.post(
    '/v1/admin/retry',
    {
      config: { scope: 'admin' },
      preValidation: async (request) => {
        request.body ??= {};
      },
      schema: {
        tags,
        operationId: 'retryEverything',
        summary: 'Try failed images of all ended batches again',
        querystring: forms.noQuery,
        body: forms.retryAllBody,
        response: { 202: forms.retriedAll },
      },
    },
    async (request, reply) => {
      const { codes, hosts, since } = request.body;
      const filter = { ...(codes && { codes }), ...(hosts && { hosts }), ...sinceOf(since, 'body') };
      const signal = whileHere(reply);
      const outcome = await onceAfterwards(app, request, request.body, async () => {
        const body = await retryAll(app, filter, signal);
        if (body.retried === 0) throw problem('nothing_to_retry');
        return whole(signal, { status: 202, headers: { 'retry-after': '2' }, body });
      });
      return sendOutcome(reply, outcome);
    },
  );
}

function sinceOf(text: string | undefined, place: 'query' | 'body'): Pick<FailureFilter, 'since'> {
  if (text === undefined) return {};
  const since = new Date(text);
  if (!Number.isNaN(since.getTime()) && /^\d{4}-\d\d-\d\d/.test(text)) return { since };
  const message = 'Input should be a time such as 2026-01-31T12:00:00Z';
  throw problem('invalid_request', {}, { faults: [{ type: 'value_error', loc: [place, 'since'], message }] });
}

function workerView({ startedAt, seenAt, ...worker }: WorkerView) {
  return { ...worker, started_at: startedAt.toISOString(), seen_at: seenAt.toISOString() };
}

type Seen = { queues: QueueView[]; workers: WorkerView[]; disabled: number; room: { ok: boolean; detail?: string } };

const bound = 'they may differ by one minor version.';

/** What a person should look at, a sentence each. */
function warningsOf({ queues, workers, disabled, room }: Seen): string[] {
  const waiting = queues.reduce((sum, queue) => sum + queue.waiting, 0);
  const alive = workers.filter(({ silent }) => !silent);
  return [
    ...(room.ok ? [] : [room.detail ?? 'Storage takes nothing more.']),
    ...(waiting > 0 && alive.length === 0 ? ['Work is waiting and no worker is alive.'] : []),
    ...workers.filter(({ silent }) => silent).map(({ machine, pid }) => `The worker ${machine}/${pid} is silent.`),
    ...alive
      .filter((worker) => isApart(worker.version, version))
      .map(
        ({ machine, pid, version: its }) => `The worker ${machine}/${pid} is ${its} and this is ${version}: ${bound}`,
      ),
    ...(disabled > 0
      ? [`${disabled} webhook receivers get nothing more: they answered 410 or failed for five days.`]
      : []),
  ];
}

/** An answer worth repeating: whoever hung up in the middle asks again for the rest. */
function whole(signal: AbortSignal, answer: Answer): { answer: Answer; batchId: null } {
  if (signal.aborted) throw problem('request_timeout');
  return { answer, batchId: null };
}

/** Aborts when the caller hangs up. */
function whileHere(reply: Answering): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => controller.abort());
  return controller.signal;
}

const timeOf = (date: Date | null): string | null => date?.toISOString() ?? null;
