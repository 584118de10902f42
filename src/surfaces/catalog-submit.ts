// catalog-submit.ts — makes a batch of a catalog request: checks in the order of the contract, then one transaction.
//
// Missing file, webhook, content of the CSV: the first that is wrong is told, and then nothing is kept, neither a row
// nor a file. B, C and /v1 share this; what they answer is theirs.

import type { App } from '../app.ts';
import { discardReceived } from '../batches/intake.ts';
import type { Batch, NewBatch, Rendition } from '../batches/model.ts';
import { submitBatch } from '../batches/submit.ts';
import { callerOf, type Ask } from '../http/http.ts';
import { doOnce, holdKey, type Answer, type Outcome } from '../http/idempotency.ts';
import { hopOf } from '../http/server.ts';
import { parsePipeline } from '../imaging/grammar.ts';
import { problem, Problem, problemSaying, type Fault } from '../problem.ts';
import { readCatalogRequest, type CatalogRequest, type Given, type Received } from './catalog-request.ts';

type Submission = {
  surface: string;
  /** What is thrown when no file was sent: the seeds have their own words. */
  noFile(): Problem;
  /** Bad URLs refuse the whole catalog. */
  strict: boolean;
  answer(batch: Batch, received: Received): Answer;
};

/** Reads the request, makes its batch once, and gives the answer. */
export async function submitCatalog(app: App, request: Ask, submission: Submission): Promise<Outcome> {
  const caller = callerOf(request);
  const { twin, release } = holdKey(request, caller.owner);
  try {
    const read = await readCatalogRequest(app, request, 'all');
    const received = read.catalog instanceof Problem ? undefined : read.catalog;
    const undo = async () => {
      if (received) await discardReceived(app, received.file);
    };
    try {
      const input = { ...judge(app, read, submission), owner: caller.owner, hop: hopOf(request) };
      const catalog = input.content.catalog;
      const meaning = { sha256: catalog.sha256.toString('hex'), webhook: input.webhook, strict: submission.strict };
      return await doOnce(app, twin, {
        meaning,
        undo,
        run: async (keep) => {
          const answer = (batch: Batch) => submission.answer(batch, catalog);
          const batch = await submitBatch(app, input, (tx, made) => keep(tx, answer(made), made.id));
          return { answer: answer(batch), batchId: batch.id };
        },
      });
    } catch (error) {
      await undo();
      throw error;
    }
  } finally {
    release();
  }
}

type CatalogBatch = Omit<NewBatch, 'owner' | 'content'> & { content: { catalog: Received } };

function judge(app: App, read: CatalogRequest, { surface, noFile, strict }: Submission): CatalogBatch {
  if (read.catalog === undefined) throw noFile();
  const webhook = judgeWebhook(app, read);
  if (read.catalog instanceof Problem) throw read.catalog;
  if (strict && read.catalog.invalid.length > 0)
    throw problem('invalid_request', {}, { faults: strictFaults(read.catalog) });
  const renditions = [defaultRendition(app)];
  const named = read.name ? { name: read.name } : {};
  return { surface, renditions, content: { catalog: read.catalog }, ...named, ...(webhook && { webhook }) };
}

/** What is done to a picture whose request names no pipeline. */
export function defaultRendition({ config }: Pick<App, 'config'>): Rendition {
  const { maxOutputSide, effort } = config;
  return { name: 'default', recipe: parsePipeline(config.pipeline, { maxOutputSide, effort }) };
}

function judgeWebhook(app: App, { webhookUrl, webhookFormat }: CatalogRequest): NewBatch['webhook'] {
  if (!webhookUrl) return undefined;
  checkWebhook(app, webhookUrl, 'webhook_url');
  const format = webhookFormat?.text ?? 'json';
  if (format === 'json' || format === 'multipart') return { url: webhookUrl.text, format };
  const message = 'Input should be json or multipart';
  const loc = [webhookFormat?.where ?? 'body', 'webhook_format'];
  throw problem('invalid_request', {}, { faults: [{ type: 'value_error', loc, message, input: format }] });
}

/** Judges a webhook URL without asking any name server; what is thrown says where the URL stood. */
export function checkWebhook(app: Pick<App, 'egress'>, { text, where }: Given, field: string): void {
  try {
    app.egress.check(text, 'webhook');
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const fault = { type: urlFaultType(text, error), loc: [where, field], message: error.message, input: text };
    throw problemSaying(error.code, error.message, { ...error.facts, faults: [fault] });
  }
}

/** What is wrong with a URL that was refused, in the words of the seeds' framework. */
export function urlFaultType(text: string, { code }: Problem): string {
  if (code === 'blocked_address') return 'value_error';
  if (!URL.canParse(text)) return 'url_parsing';
  return /^https?:/i.test(text) ? 'value_error' : 'url_scheme';
}

function strictFaults({ invalid }: Received): Fault[] {
  return invalid.slice(0, 100).map(({ line, column, message, value }) => ({
    type: 'url_parsing',
    loc: ['body', 'file', line, column ?? 'Input Image Urls'],
    message: message ?? 'Input should be a valid URL',
    ...(value !== undefined && { input: value }),
  }));
}
