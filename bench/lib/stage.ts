// stage.ts — what a run stands on: pictures in memory, a temporary folder, and everything that must be ended again.
//
// Outputs and databases go to tmpfs, so that the disk of the day is not in the figures; `--disk` puts them on the real
// one. Whatever is started registers its end here, and ends by pid, also when the run fails or is interrupted.

import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { openCorpus, type Corpus } from '../corpus.ts';
import type { SourceRequests } from '../source.ts';
import { openSide, type Side } from './side.ts';
import type { Row } from './table.ts';

export type Options = {
  pairs: number;
  ops: string[];
  efforts: string[];
  engines: string[];
  /** Rows of a catalog, jobs of `tiny`. */
  counts: number[];
  inFlight: number[];
  synthetic: boolean;
  /** How long `soak` soaks. */
  minutes: number;
  disk: boolean;
  /** Shorter samples: somebody waits for the quick run. */
  brief: boolean;
  /** More and longer samples than a person waits for. */
  thorough: boolean;
  /** The end-to-end rows take the sandbox alone along and make the rows of `limit` from the same laps. */
  withLimits: boolean;
  /** Of the peers those that are measured; none means all. */
  peers: string[];
};

export type Stage = {
  options: Options;
  cores: number;
  slots: number;
  folder: string;
  corpus: Corpus;
  /** False where the gates do not apply: another corpus than the 46 photos. */
  reference: boolean;
  log(line: string): void;
  /** Runs when the stage closes, last registered first; the returned function takes that back. */
  defer(close: () => Promise<void>): () => void;
  /** Runs a part of a family. When it fails that is told and noted, and the rest of the run goes on. */
  attempt(name: string, work: () => Promise<Row[]>): Promise<Row[]>;
  /** What failed so far, in sentences. */
  failures: string[];
  side: typeof openSide;
  source(): Promise<Source>;
  close(): Promise<void>;
};

export type Source = { host: string; pid: number; urls(salt: string): string[]; side: Side<SourceRequests> };

export async function openStage(options: Options, log: (line: string) => void): Promise<Stage> {
  const closers = new Set<() => Promise<void>>();
  const parent = !options.disk && existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const folder = await mkdtemp(join(parent, 'darkroom-bench-'));
  const defer = (close: () => Promise<void>) => {
    closers.add(close);
    return () => void closers.delete(close);
  };
  defer(() => rm(folder, { recursive: true, force: true }));
  const close = async () => {
    for (const each of [...closers].toReversed()) await each().catch((error: unknown) => log(String(error)));
    closers.clear();
  };
  const failures: string[] = [];
  const attempt: Stage['attempt'] = async (name, work) => {
    try {
      return await work();
    } catch (error) {
      const { message, stack, cause } = error as Error;
      log(`${name}: ${stack}${cause instanceof Error ? `\nbecause of ${cause.stack}` : ''}`);
      failures.push(`${name} could not be measured: ${message.split('\n')[0]}`);
      return [];
    }
  };
  const side: typeof openSide = (program, environment) => {
    const opened = openSide(program, environment);
    defer(() => opened.stop());
    return opened as never;
  };
  try {
    const corpus = await onStage(options, folder, log);
    const reference = corpus.kind === 'photos';
    let source: Promise<Source> | undefined;
    return {
      options,
      folder,
      corpus,
      reference,
      log,
      defer,
      attempt,
      failures,
      side,
      close,
      cores: availableParallelism(),
      slots: availableParallelism() + 1,
      source: () => (source ??= openSource(side<SourceRequests>('source.ts'), corpus)),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** L0 reads its files where it writes them: from memory. */
async function onStage(options: Options, folder: string, log: (line: string) => void): Promise<Corpus> {
  const corpus = await openCorpus({ synthetic: options.synthetic, folder: process.env.BENCH_CORPUS, log });
  await mkdir(join(folder, 'photos'));
  const photos = await Promise.all(
    corpus.photos.map(async (photo) => {
      const path = join(folder, 'photos', photo.name);
      await copyFile(photo.path, path);
      return { ...photo, path };
    }),
  );
  return { ...corpus, photos };
}

async function openSource(side: Side<SourceRequests>, corpus: Corpus): Promise<Source> {
  const { port } = await side.ask('open', { files: corpus.photos.map((photo) => photo.path) });
  const host = `127.0.0.1:${port}`;
  const urls = (salt: string) =>
    corpus.photos.map((photo) => `http://${host}/${salt}/${encodeURIComponent(photo.name)}`);
  return { host, pid: side.pid, urls, side };
}

/** The items, `times` over: a lap goes through the corpus more than once where one pass is too short to measure. */
export function repeated<T>(items: T[], times: number): T[] {
  return Array.from({ length: times }, () => items).flat();
}
