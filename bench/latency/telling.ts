// telling.ts — T22: how long after a picture's end is committed its owner hears of it: by stream, by socket, by webhook.
//
// Tiny uploads, ten a second by the clock, for sockets tell of uploads alone. The server has nothing else to do.

import type { Engine } from '../lib/backing.ts';
import { byTheClock } from '../lib/load.ts';
import { openEars, openHook, ways, type Way } from '../lib/news.ts';
import { listenForNoise } from '../lib/noise.ts';
import { percentile } from '../lib/pairs.ts';
import { onDarkroom } from '../lib/server.ts';
import type { Stage } from '../lib/stage.ts';
import { tinyPng } from '../lib/tiny.ts';
import { digits, judge, type Row } from '../lib/table.ts';

const perSecond = 10;

export async function tellingRows(stage: Stage, engine: Engine): Promise<Row[] | undefined> {
  stage.log(`latency: telling, ${engine}`);
  const hook = await openHook();
  const settings = { DARKROOM_LOG_LEVEL: 'warn', DARKROOM_ALLOW_HOSTS: hook.host };
  try {
    return await onDarkroom(stage, { engine, settings }, async ({ url }) => {
      const ears = await openEars(url, hook);
      try {
        const ids: string[] = [];
        const send = async (index: number) => ids.push(await upload(url, index, hook.url));
        await byTheClock(perSecond, 1000, send);
        await ears.delays(ids.splice(0), ways);
        const hush = listenForNoise();
        await byTheClock(perSecond, stage.options.thorough ? 30_000 : 8000, (index) => send(index + 1000));
        const delays = await ears.delays(ids, ways);
        return judged(engine, delays, hush());
      } finally {
        ears.close();
      }
    });
  } finally {
    await hook.stop();
  }
}

async function upload(url: string, number: number, webhook: string): Promise<string> {
  const form = new FormData();
  form.set('pipeline', 'compress:50/jpeg');
  form.set('webhook_url', webhook);
  form.set('file', new Blob([tinyPng, String(number)], { type: 'image/png' }), 'tiny.png');
  const response = await fetch(`${url}/v1/batches`, { method: 'POST', body: form });
  const text = await response.text();
  if (!response.ok) throw new Error(`/v1/batches answered ${response.status}: ${text}`);
  return (JSON.parse(text) as { id: string }).id;
}

function judged(engine: Engine, { stream, socket, webhook }: Record<Way, number[]>, noise: number): Row[] {
  const row = (id: string, delays: number[], note: string) => {
    const figure = percentile(delays, 0.99);
    const [min, max] = [Math.min(...delays), Math.max(...delays)];
    const figures = { ours: figure, figure, min, max, n: delays.length, noise };
    return judge({ id, ...figures, engine, note }, { reference: true });
  };
  const halves = (delays: number[]) => `p50 ${digits(percentile(delays, 0.5))} ms`;
  const live = percentile(stream, 0.99) > percentile(socket, 0.99) ? stream : socket;
  return [
    row('T22-live', live, `the slower of both; SSE ${halves(stream)}, WebSocket ${halves(socket)}`),
    row('T22-webhook', webhook, halves(webhook)),
  ];
}
