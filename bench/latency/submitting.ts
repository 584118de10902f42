// submitting.ts — T15: one job of one picture by JSON, serially and from 64 connections at once.
//
// The pictures are 1x1, and what a submission leaves is worked off before the next round. On PostgreSQL the server answers
// alone, as where workers are machines of their own; embedded it works on what comes, on the same cores and in one process.

import type { Engine } from '../lib/backing.ts';
import { openClient, serially, together, type Client } from '../lib/load.ts';
import { listenForNoise } from '../lib/noise.ts';
import { percentile } from '../lib/pairs.ts';
import { onDarkroom, type Darkroom } from '../lib/server.ts';
import type { Stage } from '../lib/stage.ts';
import { judge, printed, spread, type Row } from '../lib/table.ts';

const connections = 64;

export async function submittingRows(stage: Stage, engine: Engine): Promise<Row[] | undefined> {
  stage.log(`latency: submitting, ${engine}`);
  const { host } = await stage.source();
  const role = engine === 'embedded' ? 'serve' : 'api';
  return onDarkroom(stage, { engine, role, settings: { DARKROOM_LOG_LEVEL: 'warn' } }, async (server) => {
    const one = openClient(server.url);
    const many = openClient(server.url, connections);
    try {
      const submit = openSubmit(host);
      const rounds = await roundsOf(stage, server, { one, many, submit });
      return judged(engine, rounds);
    } finally {
      await Promise.all([one.close(), many.close()]);
    }
  });
}

type Submit = (client: Client) => Promise<string>;
type Clients = { one: Client; many: Client; submit: Submit };
type Rounds = { p50: number[]; p99: number[]; rate: number[]; noise: number; cpuMs: number };

/** Each job's picture is another source, or it would be done already. */
function openSubmit(host: string): Submit {
  let last = 0;
  return (client) => {
    const images = [{ source: { url: `http://${host}/submit-${last++}/tiny.png` } }];
    return client.post('/v1/batches', { images, pipeline: 'compress:50/jpeg' });
  };
}

async function roundsOf(stage: Stage, server: Darkroom, { one, many, submit }: Clients): Promise<Rounds> {
  const { thorough, pairs } = stage.options;
  const found: Rounds = { p50: [], p99: [], rate: [], noise: 0, cpuMs: 0 };
  await serially(50, () => submit(one));
  await together(connections, 500, () => submit(many));
  await settled(server, one, submit);
  const hush = listenForNoise();
  for (let round = 0; round < pairs; round++) {
    const taken = await serially(thorough ? 500 : 200, () => submit(one));
    found.p50.push(percentile(taken, 0.5));
    found.p99.push(percentile(taken, 0.99));
    const before = Object.values(server.cpu()).reduce((sum, each) => sum + each, 0);
    const begin = performance.now();
    const rate = await together(connections, thorough ? 5000 : 2000, () => submit(many));
    const after = Object.values(server.cpu()).reduce((sum, each) => sum + each, 0);
    found.cpuMs = (after - before) / ((rate * (performance.now() - begin)) / 1000);
    found.rate.push(rate);
    await settled(server, one, submit);
  }
  return { ...found, noise: hush() };
}

/** Where something works: waits until a job that was submitted last is done. */
async function settled(server: Darkroom, client: Client, submit: Submit): Promise<void> {
  if (server.postgres) return;
  const { id } = JSON.parse(await submit(client)) as { id: string };
  for (;;) {
    const batch = JSON.parse(await client.get(`/v1/batches/${id}?wait=60`)) as { finished_at: string | null };
    if (batch.finished_at) return;
  }
}

function judged(engine: Engine, { p50, p99, rate, noise, cpuMs }: Rounds): Row[] {
  const figures = { engine, noise };
  const note = `${cpuMs.toFixed(2)} CPU-ms of the system for each`;
  const speed = { ...spread(rate), ...figures, note };
  return [
    judge({ id: 'T15-p50', ...spread(p50), ...figures }, { reference: true }),
    judge({ id: 'T15-p99', ...spread(p99), ...figures }, { reference: true }),
    engine === 'embedded'
      ? printed({ id: 'T15-rate', what: 'submit JSON jobs, 64 connections; embedded', unit: 'req/s', ...speed })
      : judge({ id: 'T15-rate', ...speed }, { reference: true }),
  ];
}
