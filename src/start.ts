// start.ts — opens every part in order, joins them, and ends with how it stops.
//
// Start reading here. This is the only wiring: each part is opened with what it needs, and pushes its own end onto a stack;
// stopping unwinds the stack. Whoever serves answers HTTP; whoever works claims images; the embedded default does both.

import type { Logger } from 'pino';
import type { App } from './app.ts';
import { runWorker } from './batches/work.ts';
import type { Config } from './config.ts';
import { instanceOf } from './db/instance.ts';
import { openDatabase } from './db/open.ts';
import { holdsDatabase } from './db/pglite.ts';
import { openEgress } from './egress/client.ts';
import { checkBind } from './http/auth.ts';
import { anyKey } from './http/keys.ts';
import { openServer, type Served } from './http/server.ts';
import { openSandbox } from './imaging/sandbox.ts';
import { openMetrics } from './metrics.ts';
import { openEvents } from './notify/events.ts';
import { openQueue } from './queue/index.ts';
import { openStorage } from './storage/index.ts';
import { composeWebhook, probeSets, routeSets } from './surfaces/dialects.ts';

export type StartOptions = {
  version: string;
  log: Logger;
  /** Answer HTTP on HOST and PORT. */
  serve: boolean;
  /** Claim and process images. */
  work: boolean;
  /** Without `serve`: answer on this port whether it is alive and well, and nothing else. */
  probePort?: number | undefined;
};

export type Started = {
  app: App;
  /** Where the server listens; undefined when it does not serve. */
  url: string | undefined;
  /** Resolves when everything has ended; later calls wait for the same end. */
  stop(): Promise<void>;
};

/** Starts the house. When a part cannot be opened, those before it are closed again and the error is thrown. */
export async function start(given: Config, options: StartOptions): Promise<Started> {
  const { version, log, serve, work, probePort } = options;
  const closers: (() => Promise<void>)[] = [];
  const opened = <Part extends { close(): Promise<void> }>(part: Part): Part => {
    closers.push(() => part.close());
    return part;
  };
  try {
    const { config, listening } = withAddress(given);
    const { databaseUrl: url, databasePool: pool, dataDir, storageUrl, diskFloor } = config;
    const migrations = serve || url === '' ? 'run' : 'wait';
    // Where there is no database yet there is no key, and none need be made to say so.
    if (serve && url === '' && !holdsDatabase(dataDir)) checkBind(given);
    const db = opened(await openDatabase({ url, dataDir, pool, log, migrations }));
    if (serve) checkBind(given, await anyKey({ db }));
    const storage = opened(await openStorage({ url: storageUrl, dataDir, diskFloor, log }));
    const queue = opened(await openQueue({ url: config.queueUrl, instance: await instanceOf(db), log }));
    // Our own addresses as they were given: without a PUBLIC_URL we are localhost and 127.0.0.1 alike.
    const own = () => ({ publicUrl: given.publicUrl, internalUrl: given.internalUrl, port: config.port });
    const metrics = openMetrics(version);
    closers.push(async () => metrics.close());
    const egress = metrics.watchEgress(opened(openEgress({ config, log, version, own })));
    // Without a worker one child is enough, from the first sample picture on.
    const slots = work ? config.slots : 1;
    const sandbox = metrics.watchSandbox(opened(await openSandbox({ ...config, slots, lazy: !work, log })));
    const events = opened(await openEvents(db, log));
    const app: App = { config, db, queue, storage, egress, sandbox, events, metrics, log };

    const ending = new AbortController();
    const end = async () => ending.abort();
    if (work) {
      const working = runWorker(app, { version, compose: composeWebhook(app), signal: ending.signal });
      working.catch((error: unknown) => log.fatal({ err: error }, 'the worker ended'));
      closers.push(() => working, end);
    }
    const server = serve ? await openServer(app, routeSets) : await openProbes(app, probePort);
    if (server) {
      if (serve) listening(server.url);
      // The worker drains while the last answers go out.
      closers.push(server.stop, end);
    }
    return { app, url: server?.url, stop: once(() => unwind(closers, log)) };
  } catch (error) {
    await unwind(closers, log);
    throw error;
  }
}

/** PORT stays what it is: it belongs to the API, whose address stands in every link. */
async function openProbes(app: App, port: number | undefined): Promise<Served | undefined> {
  return port === undefined ? undefined : openServer({ ...app, config: { ...app.config, port } }, probeSets);
}

/** The settings with our own addresses filled in; they are known only once the server listens when PORT is 0. */
function withAddress(given: Config): { config: Config; listening(url: string): void } {
  let port = given.port;
  const config: Config = {
    ...given,
    get port() {
      return port;
    },
    get publicUrl() {
      return given.publicUrl || `http://localhost:${port}`;
    },
    get internalUrl() {
      return given.internalUrl || `http://127.0.0.1:${port}`;
    },
  };
  return { config, listening: (url) => void (port = Number(new URL(url).port || 80)) };
}

/** Ends the parts in reverse order; one that fails to end does not keep the others. */
async function unwind(closers: (() => Promise<void>)[], log: Logger): Promise<void> {
  for (let close = closers.pop(); close; close = closers.pop()) {
    try {
      await close();
    } catch (error) {
      log.error({ err: error }, 'a part did not end well');
    }
  }
}

function once(end: () => Promise<void>): () => Promise<void> {
  let ending: Promise<void> | undefined;
  return () => (ending ??= end());
}
