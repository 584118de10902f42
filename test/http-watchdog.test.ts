// http-watchdog.test.ts — connections that hold on without moving are ended, and an overload is noticed.

import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { watchLoad } from '../src/http/load.ts';
import { patience, watchReader } from '../src/http/watchdog.ts';

/** A server that pours an endless answer out under the watchdog. */
async function openFountain(readerMs: number) {
  const server = createServer((_request, response) => {
    watchReader(response, { ...patience, readerMs });
    Readable.from(endless()).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const open = () => new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count)));
  const dispose = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { port, open, [Symbol.asyncDispose]: dispose };
}

function* endless() {
  const chunk = Buffer.alloc(64 * 1024);
  for (;;) yield chunk;
}

test('a client that never reads is dropped', async () => {
  await using fountain = await openFountain(200);
  const socket = connect(fountain.port, '127.0.0.1').pause();
  socket.on('error', () => {});
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await expect.poll(fountain.open, { timeout: 2000 }).toBe(1);
  await expect.poll(fountain.open, { timeout: 5000 }).toBe(0);
  socket.destroy();
});

test('a client that reads goes on reading', async () => {
  await using fountain = await openFountain(200);
  const socket = connect(fountain.port, '127.0.0.1');
  let bytes = 0;
  socket.on('data', (chunk) => (bytes += chunk.length));
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  for (let round = 0; round < 4; round++) {
    const before = bytes;
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(bytes).toBeGreaterThan(before);
  }
  socket.destroy();
});

test('an event loop that falls behind is an overload until it has recovered', async () => {
  const load = watchLoad(50, 100);
  expect(load.overloaded()).toBe(false);
  const blocking = setInterval(() => {
    const until = performance.now() + 90;
    while (performance.now() < until);
  }, 1);
  await expect.poll(() => load.overloaded(), { timeout: 5000 }).toBe(true);
  clearInterval(blocking);
  await expect.poll(() => load.overloaded(), { timeout: 5000 }).toBe(false);
  load.stop();
});
