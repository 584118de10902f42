// product.ts — the product's own parts without its server, opened as start.ts opens them.

import { pino } from 'pino';
import { readConfig, type Config } from '../../src/config.ts';
import type { Database } from '../../src/db/database.ts';
import { openDatabase } from '../../src/db/open.ts';
import { parsePipeline } from '../../src/imaging/grammar.ts';
import type { Recipe, Sandbox } from '../../src/imaging/imaging.ts';
import { openSandbox } from '../../src/imaging/sandbox.ts';
import { openStorage } from '../../src/storage/index.ts';
import type { Storage } from '../../src/storage/storage.ts';

export type Parts = { config: Config; db: Database; storage: Storage };

const log = pino({ level: 'silent' });

/** Database and storage with shipped settings; `databaseUrl` '' is the embedded engine. */
export async function openParts(dataDir: string, databaseUrl: string): Promise<Parts> {
  const { config } = readConfig({ DATA_DIR: dataDir, DATABASE_URL: databaseUrl, PUBLIC_URL: 'http://127.0.0.1:8000' });
  const db = await openDatabase({ url: config.databaseUrl, dataDir, pool: config.databasePool, log });
  const storage = await openStorage({ url: config.storageUrl, dataDir, diskFloor: config.diskFloor, log });
  return { config, db, storage };
}

export function readRecipe(pipeline: string, effort: Config['effort']): Recipe {
  return parsePipeline(pipeline, { maxOutputSide: 8192, effort });
}

/** The pool of children with shipped limits and `slots` of them. */
export async function openProductSandbox(slots: number): Promise<Sandbox> {
  const { config } = readConfig({});
  return openSandbox({ ...config, slots, log });
}
