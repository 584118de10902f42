// reading.ts — T20: what a reader waits for while every slot decodes, against the same questions to an idle server.
//
// Fifty questions a second by the clock: a batch, and a page of its images, in turns. Idle and busy take turns, too.

import type { Engine } from '../lib/backing.ts';
import { runCatalog, sendCatalog, writeCatalog } from '../lib/catalog.ts';
import { byTheClock, openClient, type Client } from '../lib/load.ts';
import { listenForNoise } from '../lib/noise.ts';
import { percentile } from '../lib/pairs.ts';
import { onDarkroom } from '../lib/server.ts';
import type { Source, Stage } from '../lib/stage.ts';
import { digits, judge, spread, type Row } from '../lib/table.ts';

const perSecond = 50;

export async function readingRows(stage: Stage, engine: Engine): Promise<Row[] | undefined> {
  stage.log(`latency: reading beside a batch, ${engine}`);
  const source = await stage.source();
  const settings = { DARKROOM_LOG_LEVEL: 'warn', DARKROOM_PIPELINE: 'compress:50/jpeg' };
  return onDarkroom(stage, { engine, settings }, async (server) => {
    const client = openClient(server.url, 16);
    try {
      const { id } = await runCatalog(server, writeCatalog(source.urls('warm').slice(0, 12)));
      await askAway(client, id, 1000);
      const hush = listenForNoise();
      const taken = { idle: [] as number[][], busy: [] as number[][] };
      const ms = stage.options.thorough ? 10_000 : 4000;
      for (let round = 0; round < stage.options.pairs; round++) {
        taken.idle.push(await askAway(client, id, ms));
        taken.busy.push(await besideBatch(client, server.url, catalogFor(source, round, ms), id, ms));
      }
      return judged(engine, taken, hush());
    } finally {
      await client.close();
    }
  });
}

function askAway(client: Client, id: string, ms: number): Promise<number[]> {
  const paths = [`/v1/batches/${id}`, `/v1/batches/${id}/images?limit=50`];
  return byTheClock(perSecond, ms, (index) => client.get(paths[index % paths.length] ?? ''));
}

/** More pictures than can be done in that time. */
function catalogFor(source: Source, round: number, ms: number): string {
  const passes = Array.from({ length: Math.ceil(ms / 300) }, (_, pass) => source.urls(`busy-${round}-${pass}`));
  return writeCatalog(passes.flat());
}

/** Asks while the catalog is worked on, and takes what is left of it back. */
async function besideBatch(client: Client, url: string, catalog: string, id: string, ms: number): Promise<number[]> {
  const batch = await sendCatalog(url, catalog);
  const ended = async () => (JSON.parse(await client.get(`/v1/batches/${batch}`)) as Batch).finished_at !== null;
  while ((JSON.parse(await client.get(`/v1/batches/${batch}`)) as Batch).counts.succeeded === 0)
    await new Promise((resolve) => setTimeout(resolve, 50));
  const taken = await askAway(client, id, ms);
  if (await ended()) throw new Error('the batch ended while it was to keep the server busy');
  await client.post(`/v1/batches/${batch}/cancel`, {});
  while (!(await ended())) await client.get(`/v1/batches/${batch}?wait=60`);
  return taken;
}

type Batch = { finished_at: string | null; counts: { succeeded: number } };

function judged(engine: Engine, { idle, busy }: Record<'idle' | 'busy', number[][]>, noise: number): Row[] {
  const at = (share: number, rounds: number[][]) => rounds.map((round) => percentile(round, share));
  const ratios = (share: number) => {
    const [ours, reference] = [spread(at(share, busy)), spread(at(share, idle))];
    const each = at(share, busy).map((ms, round) => ms / (at(share, idle)[round] ?? Number.NaN));
    return { ...spread(each), ours: ours.figure, reference: reference.figure, against: 'idle' };
  };
  const rules = { reference: true };
  const slowest = `slowest ${digits(Math.max(...busy.flat()))} ms`;
  return [
    judge({ id: 'T20-p50', ...ratios(0.5), engine, noise }, rules),
    judge({ id: 'T20-p99', ...ratios(0.99), engine, noise }, rules),
    judge({ id: 'T20-ms', ...spread(at(0.99, busy)), engine, noise, note: slowest }, rules),
  ];
}
