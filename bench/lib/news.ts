// news.ts — hears of ended batches in the three ways in which Darkroom tells of them, and when each arrived.
//
// The stream of /v1/events, the socket of uploads, and a webhook. The moment of the commit is the event's own time, which
// is that of the transaction's begin on this machine's clock: what is told is rather too long than too short.

import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { openReceiver } from '../../test/support/receiver.ts';

export const ways = ['stream', 'socket', 'webhook'] as const;
export type Way = (typeof ways)[number];

export type Receiver = {
  host: string;
  url: string;
  /** When a batch's webhook was asked for, by its id. */
  arrived: Map<string, number>;
  stop(): Promise<void>;
};

export type Ears = {
  /** ms from commit to arrival of all of these batches; waits until each has come in each of these ways. */
  delays(ids: string[], ways: readonly Way[]): Promise<Record<Way, number[]>>;
  close(): void;
};

/** Opened before the server, which must be allowed to call it. */
export async function openHook(): Promise<Receiver> {
  const arrived = new Map<string, number>();
  const receiver = await openReceiver(({ body }) => {
    const { data } = JSON.parse(String(body)) as { data: { batch_id: string } };
    if (!arrived.has(data.batch_id)) arrived.set(data.batch_id, now());
    return { status: 200 };
  });
  const stop = async () => receiver[Symbol.asyncDispose]();
  return { host: receiver.host, url: receiver.url, arrived, stop };
}

export async function openEars(url: string, hook: Receiver): Promise<Ears> {
  const committed = new Map<string, number>();
  const arrived: Record<Way, Map<string, number>> = { stream: new Map(), socket: new Map(), webhook: hook.arrived };
  const closed = new AbortController();
  await followStream(url, closed.signal, ({ timestamp, data }) => {
    arrived.stream.set(data.batch_id, now());
    committed.set(data.batch_id, Date.parse(timestamp));
  });
  const socket = await followSocket(url, (batchId) => arrived.socket.set(batchId, now()));
  return {
    async delays(ids, wanted) {
      for (const until = Date.now() + 60_000; ; await sleep(20)) {
        const missing = wanted.find((way) => !ids.every((id) => arrived[way].has(id) && committed.has(id)));
        if (!missing) break;
        if (Date.now() > until) throw new Error(`not every batch was told by ${missing}`);
      }
      const delaysOf = (way: Way) =>
        ids.flatMap((id) => {
          const [at, since] = [arrived[way].get(id), committed.get(id)];
          return at === undefined || since === undefined ? [] : [at - since];
        });
      return { stream: delaysOf('stream'), socket: delaysOf('socket'), webhook: delaysOf('webhook') };
    },
    close() {
      closed.abort();
      socket.close();
    },
  };
}

type Envelope = { timestamp: string; data: { batch_id: string } };

/** Resolves once the stream is open: what ends afterwards is told. */
async function followStream(url: string, signal: AbortSignal, hear: (told: Envelope) => void): Promise<void> {
  const { body, statusCode } = await request(`${url}/v1/events?types=batch.finished`, {
    signal,
    bodyTimeout: 0,
    headers: { accept: 'text/event-stream' },
  });
  if (statusCode !== 200) throw new Error(`/v1/events answered ${statusCode}`);
  let rest = '';
  body.on('error', () => {});
  body.setEncoding('utf8').on('data', (chunk: string) => {
    const blocks = (rest + chunk).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (block.includes('event: batch.finished') && data) hear(JSON.parse(data) as Envelope);
    }
  });
}

async function followSocket(url: string, hear: (batchId: string) => void): Promise<{ close(): void }> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/ws/upload`);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.addEventListener('open', () => resolve());
  socket.addEventListener('error', () => reject(new Error('the socket could not be opened')));
  socket.addEventListener('message', ({ data }) => {
    const said = JSON.parse(String(data)) as { status?: string; batch_id?: string };
    if (said.status === 'completed' && said.batch_id) hear(said.batch_id);
  });
  await promise;
  return socket;
}

const now = (): number => performance.timeOrigin + performance.now();
