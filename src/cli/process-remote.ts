// process-remote.ts — `darkroom process --url`: the same by a server, whose workers do it; the CSV comes back, the images stay.
//
// A batch outlives this command. Whoever is interrupted goes on with --batch and its id.

import { openAsBlob } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Client } from '../../client/client/index.ts';
import { cancelBatch, createBatch, createUploads, followEvents, type Batch } from '../../client/index.ts';
import { csvOf } from './batch-download.ts';
import { codeOf, followBatch } from './batch-watch.ts';
import type { ProcessFlags } from './index.ts';
import { placesFor } from './places.ts';
import { openClient, RemoteRefusal } from './remote.ts';
import { exitCodes, type Session } from './session.ts';
import { writeWhole } from './whole.ts';

/** Takes the catalog to the server, or goes on with a batch that is there, and writes its CSV when it has ended. */
export async function processAtServer(session: Session, catalog: string, flags: ProcessFlags): Promise<number> {
  const places = placesFor(flags.out);
  const say = (sentence: string): void => void (flags.quiet || session.err.write(`${sentence}\n`));
  const { base, client } = openClient(session, flags);
  const stopping = new AbortController();
  const hearNoMore = session.onStop((times) => {
    if (times === 1) stopping.abort();
    else session.exit(exitCodes.interrupted);
  });
  try {
    const id = flags.batch ?? (await submit(client, catalog, flags.pipeline));
    const seen = giveUp(client, flags, say);
    const quiet = flags.quiet || flags.json;
    const batch = await followBatch(session, { client, id, quiet, signal: stopping.signal, seen });
    if (!batch) {
      say(
        `The batch goes on at the server: darkroom process ${catalog} --out ${flags.out} --url ${base} --batch ${id}`,
      );
      return exitCodes.interrupted;
    }
    await writeWhole(places.csv, await csvOf(client, id, { form: 'original' }));
    const { failed, canceled, succeeded } = batch.counts;
    if (failed + canceled > 0)
      await writeWhole(places.failed, await csvOf(client, id, { form: 'original', failed: true }));
    else await rm(places.failed, { force: true });
    if (flags.json) await tellEvents(session, client, id);
    say(`${succeeded} images done, ${failed} failed. ${places.csv}`);
    if (failed + canceled > 0) say(`Rows with failures are in ${places.failed}; it can be processed again.`);
    return codeOf(batch);
  } finally {
    hearNoMore();
  }
}

async function submit(client: Client, catalog: string, pipeline: string | undefined): Promise<string> {
  const found = await stat(catalog).catch(({ message }: Error) => message);
  if (typeof found === 'string') throw new RemoteRefusal(exitCodes.usage, found);
  if (!found.isFile()) throw new RemoteRefusal(exitCodes.usage, `${catalog}: This is not a file.`);
  const file = new File([await openAsBlob(catalog)], basename(catalog));
  const { data: sent } = await createUploads<true>({ client, body: { file: [file] } });
  const source = { upload: sent.items[0]?.upload ?? '' };
  const body = { catalog: source, name: basename(catalog), ...(pipeline !== undefined && { pipeline }) };
  const { data } = await createBatch<true>({ client, body });
  if (!('id' in data)) throw new Error('the server has only rehearsed the batch');
  return data.id;
}

/** Cancels the batch once too many images have failed. */
function giveUp(client: Client, { failFast, maxFailures }: ProcessFlags, say: (sentence: string) => void) {
  const most = failFast ? 1 : (maxFailures ?? Infinity);
  let canceled = false;
  return async ({ id, counts, finished_at }: Batch): Promise<void> => {
    if (canceled || finished_at !== null || counts.failed < most) return;
    canceled = true;
    say('Too many failures: what waits is canceled.');
    await cancelBatch<true>({ client, path: { id } });
  };
}

/** All that has happened to the batch, an envelope a line. */
async function tellEvents(session: Session, client: Client, id: string): Promise<void> {
  for (let after = '0', more = true; more;) {
    const headers = { accept: 'application/json' };
    const { data } = await followEvents<true>({ client, headers, query: { batch_id: id, after, limit: 500 } });
    for (const event of data.items) session.out.write(`${JSON.stringify(event)}\n`);
    ({ next_after: after, more } = data);
  }
}
