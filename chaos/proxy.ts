// proxy.ts — a wire between the product and a server, and what happens to wires: slow, silent, cut, refused, one-way.

import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export type Weather =
  | { kind: 'fair' }
  | { kind: 'slow'; ms: number }
  /** Nothing passes and nobody is told; in the end what was under way arrives. */
  | { kind: 'silent' }
  /** What is asked arrives, and no answer comes back; in the end the wire is cut. */
  | { kind: 'one-way' }
  /** Every connection is reset, and every new one too. */
  | { kind: 'reset' };

export type Proxy = {
  port: number;
  /** How it is from now on. */
  turn(weather: Weather): void;
  stop(): Promise<void>;
};

type Pair = { client: Socket; server: Socket };

/** Opens a wire to a port of loopback. */
export async function openProxy(target: () => number): Promise<Proxy> {
  const pairs = new Set<Pair>();
  let weather: Weather = { kind: 'fair' };
  const current = (): Weather => weather;

  const listener = createServer({ allowHalfOpen: true }, (client) => {
    if (weather.kind === 'reset') return void client.on('error', () => {}).resetAndDestroy();
    const server = connect({ port: target(), host: '127.0.0.1', allowHalfOpen: true });
    const pair = { client, server };
    pairs.add(pair);
    join(client, server, () => (current().kind === 'one-way' ? { kind: 'fair' } : current()));
    join(server, client, current);
    const forget = (): void => {
      pairs.delete(pair);
      cut(pair);
    };
    client.on('close', forget).on('error', forget);
    server.on('close', forget).on('error', forget);
    if (weather.kind === 'silent') hold(pair);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  return {
    port: (listener.address() as AddressInfo).port,
    turn(next) {
      const before = weather;
      weather = next;
      for (const pair of pairs) {
        // A stream that has lost bytes cannot go on.
        if (next.kind === 'reset' || before.kind === 'one-way') cut(pair);
        else if (next.kind === 'silent') hold(pair);
        else release(pair);
      }
    },
    async stop() {
      for (const pair of pairs) cut(pair);
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}

/** Passes on what comes, in its order, as the weather is when it comes. */
function join(from: Socket, to: Socket, weather: () => Weather): void {
  const inOrder = openLine();
  const later = (work: () => void): void => {
    const now = weather();
    inOrder(now.kind === 'slow' ? now.ms : 0, work);
  };
  from.on('data', (chunk: Buffer) => {
    if (weather().kind === 'one-way') return;
    later(() => {
      if (to.destroyed || to.write(chunk)) return;
      from.pause();
      to.once('drain', () => weather().kind !== 'silent' && from.resume());
    });
  });
  from.on('end', () => later(() => to.end()));
}

/** Does things after a wait, and never one before those that came earlier: when it clears up nothing may overtake. */
function openLine(): (waitMs: number, work: () => void) => void {
  const line: { at: number; work: () => void }[] = [];
  const drain = (): void => {
    for (let [first] = line; first && first.at <= performance.now(); [first] = line) {
      line.shift();
      first.work();
    }
    const [first] = line;
    if (first) setTimeout(drain, first.at - performance.now() + 1);
  };
  return (waitMs, work) => {
    if (waitMs === 0 && line.length === 0) return work();
    line.push({ at: performance.now() + waitMs, work });
    if (line.length === 1) drain();
  };
}

function hold({ client, server }: Pair): void {
  client.pause();
  server.pause();
}

function release({ client, server }: Pair): void {
  client.resume();
  server.resume();
}

function cut({ client, server }: Pair): void {
  client.resetAndDestroy();
  server.resetAndDestroy();
}
