// process.ts — `darkroom process`: a catalog in, its images and its CSV out, without a server.
//
// The whole house runs inside this process, on a database in a temporary folder that is gone afterwards, and opens no
// port. So what is not finished cannot be continued from there: it is written to a CSV of its own, which is the input of
// the next run.

import { createReadStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pino } from 'pino';
import type { App } from '../app.ts';
import { cancelBatch } from '../batches/change.ts';
import { receiveCatalog } from '../batches/intake.ts';
import { hasEnded, type Batch, type Rendition } from '../batches/model.ts';
import { submitBatch } from '../batches/submit.ts';
import { waitForBatch } from '../batches/wait.ts';
import { readConfig, type Config } from '../config.ts';
import { parsePipeline } from '../imaging/grammar.ts';
import { Problem, problemSaying } from '../problem.ts';
import { start } from '../start.ts';
import { version } from '../version.ts';
import type { ProcessFlags } from './index.ts';
import { problemLines } from './mistakes.ts';
import { placesFor, unusable, type Places } from './places.ts';
import { showProgress, type Show } from './progress.ts';
import { writeResults } from './results.ts';
import { exitCodes, type Session } from './session.ts';

export async function processCatalog(session: Session, catalog: string, flags: ProcessFlags): Promise<number> {
  const places = placesFor(flags.out);
  // Judged first: a result that cannot be written is found out too late when the work is done.
  const fault = await unusable(places);
  if (fault !== undefined) return refuse(session, [fault]);
  if (flags.url !== undefined) {
    const { processAtServer } = await import('./process-remote.ts');
    return processAtServer(session, catalog, flags);
  }
  const { config } = readConfig(session.env);
  const folder = await mkdtemp(join(tmpdir(), 'darkroom-'));
  // After the second Ctrl-C nobody waits; the system empties its temporary folder by itself.
  const stopping = new AbortController();
  const hearNoMore = session.onStop((times) => {
    if (times === 1) stopping.abort();
    else session.exit(exitCodes.interrupted);
  });
  try {
    // A mistake in the words is told before the house is built: that takes seconds.
    const recipe = parsePipeline(flags.pipeline ?? config.pipeline, config);
    if (!(await stat(catalog)).isFile()) throw problemSaying('not_csv', 'This is not a file.');
    const house = await openHouse(config, folder);
    try {
      const batch = await submit(house.app, catalog, recipe);
      return await finish(session, house.app, { batch, catalog, flags, places, stopping: stopping.signal });
    } finally {
      await house.stop();
    }
  } catch (error) {
    const sentences = unreadable(error, catalog);
    if (!sentences) throw error;
    return refuse(session, sentences);
  } finally {
    hearNoMore();
    await rm(folder, { recursive: true, force: true });
  }
}

function refuse(session: Session, sentences: string[]): number {
  for (const sentence of sentences) session.err.write(`${sentence}\n`);
  return exitCodes.usage;
}

/** What is set for a server is not meant here: its database, storage and broker stay untouched. */
function openHouse(config: Config, folder: string): ReturnType<typeof start> {
  const alone = { dataDir: folder, databaseUrl: '', queueUrl: '', storageUrl: '', publicUrl: '', apiKey: '' };
  return start({ ...config, ...alone }, { version, log: pino({ level: 'silent' }), serve: false, work: true });
}

async function submit(app: App, catalog: string, recipe: Rendition['recipe']): Promise<Batch> {
  const received = await receiveCatalog(app, createReadStream(catalog), { required: 'urls' });
  const renditions = [{ name: 'default', recipe }];
  const name = basename(catalog);
  return submitBatch(app, { surface: 'cli', owner: '', name, renditions, content: { catalog: received } });
}

type Job = { batch: Batch; catalog: string; flags: ProcessFlags; places: Places; stopping: AbortSignal };

async function finish(session: Session, app: App, job: Job): Promise<number> {
  const { places, stopping } = job;
  const show = showProgress(session, job.flags, job.batch);
  for (const { line, code } of job.batch.problems.slice(0, 5)) show.note(`${job.catalog}: line ${line}: ${code}`);
  const batch = await follow(app, job, show);
  const { rest } = await writeResults(app, batch, places, show);
  show.end(batch, places);
  if (rest > 0 && stopping.aborted)
    show.note(`Stopped. The rest: darkroom process ${places.failed} --out ${places.next}`);
  else if (rest > 0) show.note(`Rows with failures are in ${places.failed}; it can be processed again.`);
  if (stopping.aborted) return exitCodes.interrupted;
  return batch.state === 'succeeded' ? exitCodes.ok : exitCodes.failed;
}

/** Waits for the end and shows how far it is; cancels what waits at Ctrl-C, or when too many images have failed. */
async function follow(app: App, { batch: { id }, flags, stopping }: Job, show: Show): Promise<Batch> {
  const most = flags.failFast ? 1 : (flags.maxFailures ?? Infinity);
  for (let canceled = false; ;) {
    const batch = await waitForBatch(app, id, { ms: show.everyMs, ...(!canceled && { signal: stopping }) });
    if (!batch) throw new Error(`batch ${id} is gone`);
    if (hasEnded(batch.state)) return batch;
    await show.progress(app, batch);
    const enough = batch.counts.failed >= most;
    if (canceled || !(enough || stopping.aborted)) continue;
    canceled = true;
    show.note(enough ? 'Too many failures: what waits is canceled.' : 'Finishing what is in hand. Ctrl-C again stops.');
    await cancelBatch(app, id);
  }
}

/** Sentences for what the caller gave us and we cannot read; undefined for anything else. */
function unreadable(error: unknown, catalog: string): string[] | undefined {
  if (error instanceof Problem && error.status < 500) {
    const [first = '', ...rest] = problemLines(error);
    return [error.code === 'invalid_pipeline' ? first : `${catalog}: ${first}`, ...rest];
  }
  const { code, syscall, message } = error as NodeJS.ErrnoException;
  return syscall === undefined || code === undefined ? undefined : [message];
}
