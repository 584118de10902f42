// single.ts — T21: one photo of somebody who waits, behind a bulk batch of 10,000; and how soon its end is told.
//
// The photos of the corpus take turns, from 1 to 20 megapixels. The time is the client's: from sending the request to the
// answer that its `?wait=` was waiting for.

import type { Engine } from '../lib/backing.ts';
import { sendCatalog, writeCatalog } from '../lib/catalog.ts';
import { openClient, serially, type Client } from '../lib/load.ts';
import { openEars, openHook, type Receiver } from '../lib/news.ts';
import { listenForNoise } from '../lib/noise.ts';
import { percentile } from '../lib/pairs.ts';
import { onDarkroom } from '../lib/server.ts';
import type { Source, Stage } from '../lib/stage.ts';
import { digits, judge, printed, type Row } from '../lib/table.ts';

const bulkImages = 10_000;
const pipeline = 'fit:800x600/jpeg:80';

export async function singleRows(stage: Stage, engine: Engine): Promise<Row[] | undefined> {
  stage.log(`latency: one photo behind ${bulkImages}, ${engine}`);
  const source = await stage.source();
  const hook = await openHook();
  const settings = {
    DARKROOM_LOG_LEVEL: 'warn',
    DARKROOM_PIPELINE: pipeline,
    DARKROOM_ALLOW_HOSTS: `${source.host},${hook.host}`,
  };
  try {
    return await onDarkroom(stage, { engine, settings }, async (server) => {
      const client = openClient(server.url);
      const ears = await openEars(server.url, hook);
      try {
        const ids: string[] = [];
        const one = openOne(client, source, hook);
        await serially(3, one);
        await startBulk(client, server.url, source);
        const hush = listenForNoise();
        const photos = stage.options.thorough
          ? 4 * stage.corpus.photos.length
          : Math.min(40, stage.corpus.photos.length);
        const taken = await serially(photos, async (index) => ids.push(await one(index)));
        const noise = hush();
        return judged(engine, taken, await ears.delays(ids, ['stream', 'webhook']), noise);
      } finally {
        ears.close();
        await client.close();
      }
    });
  } finally {
    await hook.stop();
  }
}

type Batch = { id: string; state: string; counts: { succeeded: number } };

/** Sends one photo and waits for its end; gives its batch. */
function openOne(client: Client, source: Source, hook: Receiver): (index: number) => Promise<string> {
  let last = 0;
  return async (index) => {
    const urls = source.urls(`single-${last++}`);
    const images = [{ source: { url: urls[index % urls.length] ?? '' } }];
    const text = await client.post('/v1/batches?wait=60', { images, pipeline, webhook_url: hook.url });
    const { id, state } = JSON.parse(text) as Batch;
    if (state !== 'succeeded') throw new Error(`a single photo ended as ${state}: ${text}`);
    return id;
  };
}

/** Until every slot has been at work: the first images of a batch find the house empty. */
async function startBulk(client: Client, url: string, source: Source): Promise<void> {
  const salts = Array.from({ length: Math.ceil(bulkImages / source.urls('').length) }, (_, pass) => `bulk-${pass}`);
  const urls = salts.flatMap((salt) => source.urls(salt)).slice(0, bulkImages);
  const id = await sendCatalog(url, writeCatalog(urls));
  for (;;) {
    const { counts } = JSON.parse(await client.get(`/v1/batches/${id}`)) as Batch;
    if (counts.succeeded >= 10) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function judged(
  engine: Engine,
  taken: number[],
  { stream, webhook }: Record<'stream' | 'webhook', number[]>,
  noise: number,
): Row[] {
  const p99 = percentile(taken, 0.99);
  const figures = { min: Math.min(...taken), max: Math.max(...taken), n: taken.length, noise };
  const note = `p50 ${digits(percentile(taken, 0.5))} ms; min and max are of single photos`;
  const told = (name: string, delays: number[]) => {
    const figure = percentile(delays, 0.99);
    return printed({
      id: 'T22',
      what: `the same photos: settle committed to ${name}, p99; ${engine}`,
      unit: 'ms',
      ours: figure,
      figure,
      min: Math.min(...delays),
      max: Math.max(...delays),
      n: delays.length,
      noise,
      note: `p50 ${digits(percentile(delays, 0.5))} ms`,
    });
  };
  return [
    judge({ id: 'T21', ours: p99, figure: p99, ...figures, engine, note }, { reference: true }),
    told('SSE', stream),
    told('webhook', webhook),
  ];
}
