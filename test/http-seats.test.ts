// http-seats.test.ts — how many sockets and streams a key may hold open at the same time, and that a place comes back.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { expect, test, vi } from 'vitest';
import { openTalk } from './support/follow.ts';
import { openServed } from './support/served.ts';

const key = `drk_abcdefgh_${'k'.repeat(43)}`;
const bearer = (secret: string) => ({ authorization: `Bearer ${secret}` });
const most = 20;

/** What a handshake is answered that does not lead to a socket. */
async function refusalOf(url: string, headers: Record<string, string>): Promise<{ status?: number; body: string }> {
  const upgrade = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' };
  const secret = { 'sec-websocket-key': randomBytes(16).toString('base64') };
  const asked = request(url, { headers: { ...upgrade, ...secret, ...headers } }).end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  const body = (await response.setEncoding('utf8').toArray()).join('');
  return { ...(response.statusCode !== undefined && { status: response.statusCode }), body };
}

test('a key holds twenty sockets and streams, and gets a place back for each that it closes', async () => {
  await using served = await openServed('pglite', { work: false, env: { DARKROOM_API_KEY: key } });
  const made = await served.ask('/v1/admin/keys', {
    method: 'POST',
    headers: { ...bearer(key), 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'other', scope: 'read' }),
  });
  const stream = async (secret = key): Promise<{ status: number; cut: () => void }> => {
    const ending = new AbortController();
    const { status } = await fetch(`${served.url}/v1/events`, { headers: bearer(secret), signal: ending.signal });
    // A machine that stands still for a moment is not what is asked about.
    return status === 503 ? stream(secret) : { status, cut: () => ending.abort() };
  };
  const socketUrl = `${served.url}/ws/upload/`;

  const talk = await openTalk(socketUrl, bearer(key));
  const streams = [];
  for (let n = 1; n < most; n++) streams.push(await stream());
  expect(streams.filter(({ status }) => status !== 200)).toEqual([]);

  const refused = await served.ask('/v1/events', { headers: bearer(key) });
  expect(refused).toMatchObject({ status: 429, json: { code: 'rate_limited' } });
  expect(refused.json.detail).toContain(`${most} sockets and streams open`);
  expect(refused.headers.get('retry-after')).toBe('1');
  expect(await refusalOf(socketUrl, bearer(key))).toMatchObject({
    status: 429,
    body: expect.stringContaining('sockets and streams open'),
  });
  // A page of events is no stream, and another key has places of its own.
  const page = await served.ask('/v1/events', { headers: { ...bearer(key), accept: 'application/json' } });
  expect(page.status).toBe(200);
  const others = await stream(made.json.key as string);
  expect(others.status).toBe(200);

  streams[0]?.cut();
  talk.cut();
  const places: { cut: () => void }[] = [];
  await vi.waitFor(async () => {
    const next = await stream();
    if (next.status === 200) places.push(next);
    expect(places).toHaveLength(2);
  }, 20_000);
  for (const { cut } of [...streams, ...places, others]) cut();
});
