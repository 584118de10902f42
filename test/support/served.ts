// served.ts — the whole service on a free port of loopback, with a source of pictures beside it.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { App } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { start } from '../../src/start.ts';
import { emptyPostgres, seedDataDir, type EngineName } from './databases.ts';
import { openPictureSource, type PictureSource } from './picture-source.ts';

// oxlint-disable-next-line typescript/no-explicit-any -- tests look into what came back as it is
export type Reply = { status: number; headers: Headers; text: string; json: any };
export type Served = AsyncDisposable & {
  app: App;
  url: string;
  pictures: PictureSource;
  /** Lines of the log, parsed. */
  log: Record<string, unknown>[];
  ask(path: string, init?: AskOptions): Promise<Reply>;
  /** Asks until `done` holds; fails after ten seconds with the last answer. */
  until(path: string, done: (reply: Reply) => boolean): Promise<Reply>;
  /** Stops the service and starts it again on the same data; its address changes. */
  restart(): Promise<void>;
};

type AskOptions = RequestInit & { form?: Record<string, string | File> };
export type ServedOptions = { env?: Record<string, string>; allow?: string[]; work?: boolean };

/** Starts the service on a fresh database and folder; disposing it stops it and removes both. */
export async function openServed(engine: EngineName, options: ServedOptions = {}): Promise<Served> {
  const { env = {}, allow = [], work = true } = options;
  const pictures = await openPictureSource();
  const folder = await mkdtemp(join(tmpdir(), 'darkroom-served-'));
  const database = engine === 'postgres' ? await emptyPostgres() : undefined;
  if (!database) await seedDataDir(folder);
  const { config } = readConfig({
    PORT: '0',
    DATA_DIR: folder,
    DARKROOM_ALLOW_HOSTS: [pictures.host, ...allow].join(','),
    DARKROOM_DISK_FLOOR: '1mb',
    DARKROOM_SLOTS: '2',
    ...(database && { DATABASE_URL: database.url }),
    ...env,
  });
  const log: Record<string, unknown>[] = [];
  const logger = pino({ level: 'debug' }, { write: (line) => void log.push(JSON.parse(line)) });
  const open = () => start(config, { version: 'test', log: logger, serve: true, work });
  let started = await open();
  const ask: Served['ask'] = (path, init) => send(started.url ?? '', path, init);
  return {
    get app() {
      return started.app;
    },
    get url() {
      return started.url ?? '';
    },
    pictures,
    log,
    ask,
    until: (path, done) => askUntil(ask, path, done),
    async restart() {
      await started.stop();
      started = await open();
    },
    async [Symbol.asyncDispose]() {
      await started.stop();
      await pictures[Symbol.asyncDispose]();
      await database?.drop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function askUntil(ask: Served['ask'], path: string, done: (reply: Reply) => boolean): Promise<Reply> {
  const end = performance.now() + 10_000;
  for (;;) {
    const reply = await ask(path);
    if (done(reply)) return reply;
    if (performance.now() > end) throw new Error(`Not so after 10 s: ${path} ${reply.status} ${reply.text}`);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

async function send(
  url: string,
  path: string,
  init: AskOptions = {},
  patientUntil = performance.now() + 30_000,
): Promise<Reply> {
  const { form, ...rest } = init;
  const body = form && new FormData();
  for (const [name, value] of Object.entries(form ?? {})) body?.append(name, value);
  const response = await fetch(url + path, { redirect: 'manual', ...(body && { method: 'POST', body }), ...rest });
  const text = await response.text();
  const reply = { status: response.status, headers: response.headers, text, json: parsed(text) as Reply['json'] };
  // A test machine may stand still for a second, and what is told then is right but not what a test asks about.
  if (reply.json?.code !== 'overloaded' || performance.now() > patientUntil) return reply;
  await new Promise((resolve) => setTimeout(resolve, 200));
  return send(url, path, init, patientUntil);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A catalog as a file part; the header in front of `rows` unless the rows bring their own. */
export function csv(
  rows: string | Uint8Array<ArrayBuffer>,
  name = 'test.csv',
  header = 'S. No.,Product Name,Input Image Urls\n',
): File {
  return new File(typeof rows === 'string' ? [header + rows] : [rows], name, { type: 'application/octet-stream' });
}

export const ended = ({ json }: Reply): boolean => json?.status === 'completed' || json?.status === 'failed';
