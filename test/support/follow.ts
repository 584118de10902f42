// follow.ts — follows the news of a server as its clients do: by a stream of events, or by a socket.

import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'undici';

// oxlint-disable-next-line typescript/no-explicit-any -- tests look into what came as it is
export type Told = { id: string | undefined; type: string; data: any };

export type Stream = {
  headers: Headers;
  told: Told[];
  /** With which the client would come back. */
  lastId: () => string;
  /** Waits until something was told that fits; fails after 20 s with everything that was. */
  until: (fits: (told: Told[]) => boolean) => Promise<void>;
  cut: () => void;
  /** Resolves when the stream is over: true when the server ended it. */
  over: Promise<boolean>;
};

/** Opens a stream of events; throws what the server answers instead. */
export async function openStream(url: string, lastEventId?: string): Promise<Stream> {
  const ending = new AbortController();
  const headers = { accept: 'text/event-stream', ...(lastEventId !== undefined && { 'last-event-id': lastEventId }) };
  const response = await fetch(url, { headers, signal: ending.signal });
  if (response.status !== 200 || !response.body) throw new Error(`${response.status} ${await response.text()}`);
  const told: Told[] = [];
  let last = lastEventId ?? '';
  const read = async (body: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<boolean> => {
    let text = '';
    for await (const part of body.pipeThrough(new TextDecoderStream())) {
      const blocks = (text + part).split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        const fields = Object.fromEntries(block.split('\n').map((line) => line.split(/: ?(.*)/s, 2)));
        last = fields.id ?? last;
        if (fields.data !== undefined) told.push({ id: fields.id, type: fields.event, data: JSON.parse(fields.data) });
      }
    }
    return true;
  };
  return {
    headers: response.headers,
    told,
    lastId: () => last,
    until: (fits) => until(() => fits(told), told),
    cut: () => ending.abort(),
    over: read(response.body).catch(() => false),
  };
}

export type Talk = {
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into what came as it is
  heard: any[];
  until: (fits: (heard: Talk['heard']) => boolean) => Promise<void>;
  say: (text: string) => void;
  cut: () => void;
  /** The code with which it was closed. */
  closed: Promise<number>;
};

/** Opens a socket; rejects when the handshake is refused. */
export async function openTalk(url: string, headers: Record<string, string> = {}): Promise<Talk> {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), { headers });
  const heard: Talk['heard'] = [];
  const closed = Promise.withResolvers<number>();
  socket.addEventListener('message', ({ data }) => void heard.push(JSON.parse(String(data))));
  socket.addEventListener('close', ({ code }) => closed.resolve(code));
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve());
    socket.addEventListener('error', () => reject(new Error('the handshake was refused')));
  });
  return {
    heard,
    until: (fits) => until(() => fits(heard), heard),
    say: (text) => socket.send(text),
    cut: () => socket.close(),
    closed: closed.promise,
  };
}

async function until(fits: () => boolean, shown: unknown): Promise<void> {
  const end = performance.now() + 20_000;
  while (!fits()) {
    if (performance.now() > end) throw new Error(`Not so after 20 s: ${JSON.stringify(shown, null, 1)}`);
    await sleep(20);
  }
}
