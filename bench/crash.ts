// crash.ts — kill -9 of a worker with its children at 30 % of a catalog, while another works on.
//
// Rows T23, on PostgreSQL. Nothing may be lost and nothing done twice: every image has one end in the journal, one result,
// and its file. What the dead worker held is handed out again once it has been silent for long enough; how much later than
// that is the second row.

import { setTimeout as sleep } from 'node:timers/promises';
import { silentMs } from '../src/batches/reap.ts';
import { missingFor } from './lib/backing.ts';
import { sendCatalog, writeCatalog } from './lib/catalog.ts';
import { listenForNoise } from './lib/noise.ts';
import type { Postgres } from './lib/postgres.ts';
import { pidsOfTree } from './lib/proc.ts';
import { onDarkroom, type Darkroom } from './lib/server.ts';
import type { Stage } from './lib/stage.ts';
import { digits, judge, skipped, spread, type Row } from './lib/table.ts';

const passes = 6;
const killAt = 0.3;
const latestMs = 300_000;

type Crash = { held: number; wrong: number; firstMs: number; lastMs: number; wallMs: number };

export async function rows(stage: Stage): Promise<Row[]> {
  const settings = { DARKROOM_PIPELINE: 'fit:800x600/jpeg:80', DARKROOM_LOG_LEVEL: 'warn' };
  const rounds = stage.options.thorough ? 3 : 1;
  const found = await onDarkroom(stage, { engine: 'postgres', settings, role: 'api' }, async (server) => {
    const hush = listenForNoise();
    const crashes: Crash[] = [];
    for (let round = 0; round < rounds; round++) crashes.push(await crash(stage, server, round));
    return judged(crashes, hush());
  });
  return found ?? ['T23-lost', 'T23-resume'].map((id) => skipped(id, missingFor('postgres')));
}

async function crash(stage: Stage, { url, postgres, addWorker }: Darkroom, round: number): Promise<Crash> {
  stage.log(`crash: ${round + 1}`);
  if (!postgres) throw new Error('a crash is measured on PostgreSQL');
  const source = await stage.source();
  const [victim, other] = await Promise.all([addWorker(), addWorker()]);
  try {
    const urls = Array.from({ length: passes }, (_, pass) => source.urls(`crash-${round}-${pass}`)).flat();
    const begin = Date.now();
    const id = await sendCatalog(url, writeCatalog(urls));
    await until(async () => (await endedOf(postgres, id)) >= killAt * urls.length);
    const [worker] = await postgres.query<{ id: string }>('select id from workers where pid = $1', [victim.pid]);
    // The children first hear of it from their pipes; here the whole machine is gone.
    for (const pid of pidsOfTree(victim.pid)) process.kill(pid, 'SIGKILL');
    await victim.end('SIGKILL');
    const dead = await postgres.query<{ id: string; at: Date }>(
      `select id, (select seen_at from workers where id = $1) as at from images where worker = $1 and state = 'running'`,
      [worker?.id],
    );
    await until(async () => (await endedOf(postgres, id)) >= urls.length);
    const [again] = await postgres.query<{ first: Date; last: Date }>(
      'select min(started_at) as first, max(started_at) as last from images where id = any($1)',
      [dead.map((each) => each.id)],
    );
    const due = (dead[0]?.at.getTime() ?? Number.NaN) + silentMs;
    return {
      held: dead.length,
      wrong: await wrongOf(postgres, id, urls.length),
      firstMs: (again?.first.getTime() ?? Number.NaN) - due,
      lastMs: (again?.last.getTime() ?? Number.NaN) - due,
      wallMs: Date.now() - begin,
    };
  } finally {
    await other.end('SIGTERM');
  }
}

async function endedOf(postgres: Postgres, id: string): Promise<number> {
  const text = 'select succeeded + failed + canceled as ended from batches where id = $1';
  const [found] = await postgres.query<{ ended: number }>(text, [id]);
  return found?.ended ?? 0;
}

/** Images without a result, and images whose end is told more or less often than once. */
async function wrongOf(postgres: Postgres, id: string, images: number): Promise<number> {
  const [found] = await postgres.query<{ whole: number; told: number; once: number }>(
    `with ends as (
      select image, count(*) as times from events, unnest(images) as image
      where batch_id = $1 and type = 'images.settled' group by image)
    select
      (select count(*)::int from images i join renditions r on r.image_id = i.id join files f on f.name = r.file
        where i.batch_id = $1 and i.state = 'succeeded') as whole,
      (select count(*)::int from ends) as told,
      (select count(*)::int from ends where times = 1) as once`,
    [id],
  );
  const { whole = 0, told = 0, once = 0 } = found ?? {};
  return Math.abs(images - whole) + Math.abs(images - told) + (told - once);
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + latestMs; !(await holds()); await sleep(15))
    if (Date.now() > end) throw new Error('the batch did not get that far within five minutes');
}

function judged(crashes: Crash[], noise: number): Row[] {
  const wrong = crashes.reduce((sum, each) => sum + each.wrong, 0);
  const held = crashes.map((each) => each.held).join(', ');
  const resumed = spread(crashes.map((each) => Math.max(0, each.firstMs) / 1000));
  const last = spread(crashes.map((each) => each.lastMs / 1000));
  const wall = spread(crashes.map((each) => each.wallMs / 1000));
  const lost = { ours: wrong, figure: wrong, min: wrong, max: wrong, n: crashes.length, noise };
  const note = `until the first is started again; the last after ${digits(last.figure)} s, one at a time; whole catalog ${digits(wall.figure)} s`;
  return [
    judge({ id: 'T23-lost', ...lost, note: `the dead worker held ${held} images` }, { reference: true }),
    judge({ id: 'T23-resume', ...resumed, noise, note }, { reference: true }),
  ];
}
