// contender.ts — one of two services that are given the same work: Darkroom or a peer, driven in the same way.

import { setTimeout as sleep } from 'node:timers/promises';
import { fetchResults, runCatalog, writeCatalog } from './catalog.ts';
import type { Lap } from './pairs.ts';
import type { Output } from './quality.ts';
import { cpuSince, startDarkroom } from './server.ts';
import type { Stage } from './stage.ts';
import type { Operation } from '../operations.ts';

export type Contender = {
  /** Sends a catalog with one picture a line and waits for its end. */
  catalog(urls: string[]): Promise<Lap>;
  /** Sends a JSON request for each picture, several at once, and waits for the end of the last. */
  jobs(urls: string[]): Promise<Lap>;
  /** The results of the last catalog by the name of their source. */
  outputs(): Promise<Output[]>;
  stop(): Promise<void>;
};

/** Waits between looks at the database: for a catalog its end is timed, for jobs only CPU counts and looking costs. */
export const lookMs = { catalog: 15, jobs: 250 };
const requestsAtOnce = 16;

/** Darkroom as shipped, on PostgreSQL as the peers are; undefined where that is not installed. */
export async function startHouse(
  stage: Stage,
  operation: Operation,
  settings: Record<string, string> = {},
): Promise<Contender | undefined> {
  const shipped = { DARKROOM_PIPELINE: operation.pipeline, DARKROOM_EFFORT: operation.effort };
  const server = await startDarkroom(stage, 'postgres', { ...shipped, ...settings });
  if (!server?.postgres) return undefined;
  const { postgres, url } = server;
  let last = '';
  return {
    async catalog(urls) {
      const before = server.cpu();
      const { id, failed, total, wallMs } = await runCatalog(server, writeCatalog(urls));
      if (failed > 0 || total !== urls.length) throw new Error(`${failed} of ${total} images failed`);
      last = id;
      return { images: total, wallMs, cpu: cpuSince(server.cpu(), before) };
    },
    async jobs(urls) {
      const before = server.cpu();
      const begin = Date.now();
      const bodyOf = (imageUrl: string) => ({ imageUrl, transformations: operation.pipeline.split('/') });
      await sendJobs(`${url}/api/v1/images/process`, urls.map(bodyOf));
      const look = `select count(*) filter (where finished_at is null)::int as open, sum(failed)::int as failed,
        max(finished_at) as "finishedAt" from batches`;
      const { finishedAt, failed } = await untilClosed(() => postgres.query<Open>(look), lookMs.jobs);
      if (failed > 0) throw new Error(`${failed} jobs failed`);
      return { images: urls.length, wallMs: finishedAt.getTime() - begin, cpu: cpuSince(server.cpu(), before) };
    },
    outputs: () => fetchResults(server, last),
    stop: () => server.stop(),
  };
}

export type Open = { open: number; failed: number; finishedAt: Date };

/** Looks until nothing is open; gives up after five minutes. */
export async function untilClosed(look: () => Promise<Open[]>, everyMs: number): Promise<Open> {
  for (const until = Date.now() + 300_000; ; await sleep(everyMs)) {
    const [found] = await look();
    if (found?.open === 0) return found;
    if (Date.now() > until) throw new Error(`${found?.open} images are still open after five minutes`);
  }
}

/** POSTs the bodies as JSON. */
export async function sendJobs(url: string, bodies: object[]): Promise<void> {
  const rest = bodies.values();
  const sender = async () => {
    for (const body of rest)
      await post(url, { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  };
  await Promise.all(Array.from({ length: requestsAtOnce }, sender));
}

export async function post(url: string, request: { headers: Record<string, string>; body: string }): Promise<unknown> {
  const response = await fetch(url, { method: 'POST', ...request });
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
  return response.json();
}
