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

export type Options = {
  pairs: number;
  ops: string[];
  efforts: string[];
  engines: string[];
  /** Rows of a catalog, jobs of `tiny`. */
  counts: number[];
  inFlight: number[];
  synthetic: boolean;
  disk: boolean;
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
  /** Runs when the stage closes, last registered first. */
  defer(close: () => Promise<void>): void;
  side: typeof openSide;
  source(): Promise<Source>;
  close(): Promise<void>;
};

export type Source = { host: string; pid: number; urls(salt: string): string[]; side: Side<SourceRequests> };

export async function openStage(options: Options, log: (line: string) => void): Promise<Stage> {
  const closers: (() => Promise<void>)[] = [];
  const parent = !options.disk && existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const folder = await mkdtemp(join(parent, 'darkroom-bench-'));
  const defer = (close: () => Promise<void>) => void closers.push(close);
  defer(() => rm(folder, { recursive: true, force: true }));
  const close = async () => {
    for (let each = closers.pop(); each; each = closers.pop())
      await each().catch((error: unknown) => log(String(error)));
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
