// app.ts — the parts of the running house, by name.
//
// A signature says what it needs with `Uses<'db' | 'events'>`, and a test passes only that.

import type { Logger } from 'pino';
import type { Config } from './config.ts';
import type { Database } from './db/database.ts';
import type { Egress } from './egress/egress.ts';
import type { Sandbox } from './imaging/imaging.ts';
import type { Metrics } from './metrics.ts';
import type { Events } from './notify/notify.ts';
import type { Queue } from './queue/queue.ts';
import type { Storage } from './storage/storage.ts';

export type App = {
  config: Config;
  db: Database;
  queue: Queue;
  storage: Storage;
  egress: Egress;
  sandbox: Sandbox;
  events: Events;
  metrics: Metrics;
  log: Logger;
};

export type Uses<K extends keyof App> = Pick<App, K>;
