// snapshot.ts — everything that the product has written down, read when it has been stopped.

import { sql } from 'kysely';
import { pino } from 'pino';
import { emptyTrash, scrubStorage } from '../src/batches/sweep.ts';
import type { Database } from '../src/db/database.ts';
import { openDatabase } from '../src/db/open.ts';
import { openDisk } from '../src/storage/disk.ts';
import { keyOf, type Storage } from '../src/storage/storage.ts';

export type BatchRow = {
  id: string;
  name: string | null;
  state: string;
  generation: number;
  chore: string | null;
  total: number;
  succeeded: number;
  failed: number;
  canceled: number;
  webhook_url: string | null;
};
export type ImageRow = {
  id: string;
  batch_id: string;
  position: number;
  source_url: string | null;
  name: string | null;
  state: string;
  attempts: number;
  attempts_left: number;
  strikes: number;
  error_code: string | null;
  finished_at: Date | null;
  history: unknown;
};
export type RenditionRow = { image_id: string; name: string; file: string | null };
export type FileRow = { name: string; kind: string; bytes: number; sha256: string; used: boolean };
export type EventRow = {
  seq: number | null;
  batch_id: string;
  generation: number;
  type: string;
  images: string[] | null;
  outcomes: string | null;
};
export type DeliveryRow = { id: string; batch_id: string; generation: number; state: string; log: unknown };

export type Snapshot = {
  batches: BatchRow[];
  images: ImageRow[];
  productBatches: string[];
  renditions: RenditionRow[];
  files: FileRow[];
  events: EventRow[];
  deliveries: DeliveryRow[];
  /** Names of the objects in storage. */
  objects: Set<string>;
  /** The object of that name. */
  read(name: string): Promise<Buffer | undefined>;
};

const silent = pino({ level: 'silent' });

/** Opens what a stopped product has left, sweeps and scrubs it at age 0, and reads it all. */
export async function takeSnapshot(place: {
  databaseUrl: string;
  dataDir: string;
  storage: string;
}): Promise<Snapshot> {
  const { databaseUrl: url, dataDir, storage: folder } = place;
  const storage = await openDisk({ folder, diskFloor: 0, log: silent });
  const db = await openDatabase({ url, dataDir, pool: 1, log: silent, migrations: 'wait' });
  try {
    const never = new AbortController().signal;
    await emptyTrash({ db, storage }, never);
    await scrubStorage({ db, storage }, never, 0);
    return { ...(await readRows(db)), objects: await namesIn(storage), read: (name) => readObject(storage, name) };
  } finally {
    await db.close();
    await storage.close();
  }
}

async function readRows({ query }: Database) {
  const all = async <Row>(text: ReturnType<typeof sql<Row>>): Promise<Row[]> => (await text.execute(query)).rows;
  return {
    batches: await all(sql<BatchRow>`
      select id, name, state, generation, chore, total, succeeded, failed, canceled, webhook_url from batches`),
    images: await all(sql<ImageRow>`
      select id, batch_id, position, source_url, name, state, attempts, attempts_left, strikes, error_code, finished_at,
        history from images order by batch_id, position`),
    productBatches: (await all(sql<{ id: string }>`select distinct batch_id as id from products`)).map(({ id }) => id),
    renditions: await all(sql<RenditionRow>`select image_id, name, file from renditions where name not like '.%'`),
    files: await all(sql<FileRow>`
      select name, kind, bytes::int, encode(sha256, 'hex') as sha256,
        exists (select 1 from renditions r where r.file = f.name)
          or exists (select 1 from images i where i.source_file = f.name)
          or exists (select 1 from batches b where b.catalog = f.name) as used
      from files f`),
    events: await all(sql<EventRow>`
      select seq::int, batch_id, generation, type, images, outcomes from events order by seq, id`),
    deliveries: await all(sql<DeliveryRow>`select id, batch_id, generation, state, log from deliveries`),
  };
}

async function namesIn(storage: Storage): Promise<Set<string>> {
  const names = new Set<string>();
  for (let after: string | undefined; ;) {
    const objects = await storage.list(after, 1_000);
    for (const { key } of objects) names.add(key.slice(key.indexOf('/') + 1));
    after = objects.at(-1)?.key;
    if (after === undefined) return names;
  }
}

async function readObject(storage: Storage, name: string): Promise<Buffer | undefined> {
  const object = await storage.open(keyOf(name));
  if (!object) return undefined;
  const chunks: Buffer[] = [];
  for await (const chunk of object.body) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
