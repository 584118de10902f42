// Webhook calls: any answer is a reply, nothing is followed, and a receiver cannot hold us.

import { expect, test } from 'vitest';
import { codeOf, openTestEgress, problemOf } from './support/egress.ts';
import { openHostileSource, openRawSource } from './support/hostile.ts';

const body = Buffer.from('{"state":"completed"}');

async function openReceiver(limits = {}) {
  const receiver = await openHostileSource();
  const egress = openTestEgress({ config: { allowHosts: [receiver.host] }, limits });
  return {
    receiver,
    post: (path: string, more: { headers?: Record<string, string>; hop?: number } = {}) =>
      egress.post(`${receiver.base}${path}`, { headers: {}, body, ...more }),
    async [Symbol.asyncDispose]() {
      await egress.close();
      await receiver[Symbol.asyncDispose]();
    },
  };
}

test('a webhook carries its body, its headers, our name and the next hop', async () => {
  await using house = await openReceiver();
  const reply = await house.post('/status?code=200', { headers: { 'webhook-id': 'msg_1' }, hop: 1 });
  expect(reply).toMatchObject({ status: 200, excerpt: '<h1>a page</h1>' });
  expect(house.receiver.seen).toMatchObject([
    {
      method: 'POST',
      body: body.toString(),
      headers: { 'webhook-id': 'msg_1', 'user-agent': 'Darkroom/1.2.3', 'darkroom-hop': '2', connection: 'close' },
    },
  ]);
});

test.each([204, 302, 404, 410, 500])('an answer of %i is a reply', async (code) => {
  await using house = await openReceiver();
  expect((await house.post(`/status?code=${code}`)).status).toBe(code);
});

test('a redirect is a reply and is not followed', async () => {
  await using house = await openReceiver();
  expect((await house.post('/relative')).status).toBe(302);
  expect(house.receiver.seen).toHaveLength(1);
});

test('Retry-After of a receiver is kept', async () => {
  await using house = await openReceiver();
  expect((await house.post('/status?code=429&after=30')).retryAfterMs).toBe(30_000);
});

test('of a long reply only its beginning is read', async () => {
  await using house = await openReceiver();
  const reply = await house.post('/endless');
  expect(reply.status).toBe(200);
  expect(reply.excerpt.length).toBeLessThanOrEqual(1024);
});

test('the excerpt of a reply holds no control characters', async () => {
  const answer = 'HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\na\u0000b\u001b[1m\tc\nd\u0007e';
  await using raw = await openRawSource((socket) => socket.end(answer));
  await using egress = openTestEgress({ config: { allowHosts: [raw.host] } });
  expect((await egress.post(raw.url, { headers: {}, body })).excerpt).toBe('ab[1m\tc\nde');
});

test('a status that has arrived counts, though the reply breaks off or drips', async () => {
  await using house = await openReceiver({ idleMs: 300, totalMs: 600 });
  const replies = await Promise.all(['/reset', '/stall', '/drip'].map((path) => house.post(path)));
  expect(replies.map(({ status }) => status)).toEqual([200, 200, 200]);
});

test('no answer in time is a timeout', async () => {
  await using house = await openReceiver({ totalMs: 300 });
  expect(await problemOf(() => house.post('/hang'))).toMatchObject({ code: 'timeout', retryable: true });
});

test('a receiver on a private address is refused', async () => {
  await using egress = openTestEgress({ resolve: async () => ['93.184.216.34', '192.168.0.5'] });
  const post = (url: string) => codeOf(() => egress.post(url, { headers: {}, body }));
  expect(await post('http://192.168.0.5/hook')).toBe('blocked_address');
  expect(await post('http://mixed.test/hook')).toBe('blocked_address');
});

test('every call takes a connection of its own', async () => {
  await using house = await openReceiver();
  for (let i = 0; i < 3; i++) await house.post('/status?code=200');
  expect(house.receiver.connections()).toBe(3);
});
