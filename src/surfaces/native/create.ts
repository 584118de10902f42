// create.ts — POST /v1/batches: whatever the body is made of (contents.ts), its batch is made once.

import type { App } from '../../app.ts';
import { hasEnded, type Batch, type NewBatch } from '../../batches/model.ts';
import { findBatch } from '../../batches/read.ts';
import { rehearse } from '../../batches/rehearse.ts';
import { submitBatch } from '../../batches/submit.ts';
import { waitForBatch } from '../../batches/wait.ts';
import { callerOf, type Answering, type Ask, type Http } from '../../http/http.ts';
import { doOnce, holdKey, sendOutcome, type Outcome } from '../../http/idempotency.ts';
import { hopOf } from '../../http/server.ts';
import { createAnswers } from './answers.ts';
import { readContent, type Content } from './contents.ts';
import { batchBodies, besideFile } from './schemas.ts';
import { batchView } from './views.ts';
import { waitMsOf, waitSignal } from './waiting.ts';

export const surfaceName = 'native';

export function addCreate(http: Http, app: App): void {
  http.post(
    '/v1/batches',
    {
      config: { scope: 'write', bodies: batchBodies },
      schema: {
        tags: [surfaceName],
        operationId: 'createBatch',
        summary: 'Start a batch',
        querystring: besideFile,
        response: createAnswers,
      },
    },
    async (request, reply) => {
      const { owner, sees } = callerOf(request);
      const { twin, release } = holdKey(request, owner);
      try {
        const content = await readContent(app, request);
        if (content.isRehearsal) return await rehearsal(app, content);
        const outcome = await submitOnce(app, request, twin, content);
        return await answer(app, request, reply, outcome, sees);
      } finally {
        release();
      }
    },
  );
}

async function rehearsal(app: App, { batch, undo }: Content) {
  try {
    const { problemCount, ...told } = await rehearse(app, batch.content);
    const problems = told.problems.map(({ line, column = null, code, message = null, value = null }) => ({
      line,
      column,
      code,
      message,
      value,
    }));
    return { ...told, problems, problems_total: problemCount };
  } finally {
    await undo();
  }
}

async function submitOnce(
  app: App,
  request: Ask,
  twin: Parameters<typeof doOnce>[1],
  { batch: made, meaning, undo }: Content,
): Promise<Outcome> {
  const input: NewBatch = { ...made, surface: surfaceName, owner: callerOf(request).owner, hop: hopOf(request) };
  try {
    return await doOnce(app, twin, {
      meaning,
      undo,
      run: async (keep) => {
        const batch = await submitBatch(app, input, async (tx, begun) => {
          if (twin) await keep(tx, await accepted({ ...app, db: { ...app.db, query: tx } }, begun), begun.id);
        });
        return { answer: await accepted(app, batch), batchId: batch.id };
      },
    });
  } catch (error) {
    await undo();
    throw error;
  }
}

async function accepted(app: Pick<App, 'db' | 'config'>, batch: Batch) {
  const headers = { location: `/v1/batches/${batch.id}`, 'retry-after': '2' };
  return { status: 202, headers, body: await batchView(app, batch) };
}

/** 202 at once, or with ?wait= 200 as soon as the batch has ended. */
async function answer(app: App, request: Ask, reply: Answering, outcome: Outcome, sees: string | undefined) {
  const ms = waitMsOf(request);
  if (ms === 0 || outcome.batchId === null) return sendOutcome(reply, outcome);
  const batch = await waitForBatch(app, outcome.batchId, { ms, signal: waitSignal(reply) });
  if (!batch || !(await findBatch(app, batch.id, sees))) return sendOutcome(reply, outcome);
  const status = hasEnded(batch.state) ? 200 : 202;
  return sendOutcome(reply, { ...outcome, status, body: await batchView(app, batch) });
}
