// faults-sources.test.ts — fault 27 of the reliability table: how often a source that fails is asked, to the request.
//
// DARKROOM_TEST_ROUNDS=2 makes the long run with the tries and waits as shipped: three minutes.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { catalogForm } from './support/cluster.ts';
import { rounds, tellFigures } from './support/figures.ts';
import { openStandalone } from './support/standalone.ts';

/** As shipped they are five, and the last wait is two minutes long. */
const attempts = rounds > 1 ? 5 : 3;
const asked = new Map<string, number[]>();

type Ways = Record<string, (times: number, response: ServerResponse) => void>;
const status =
  (code: number, headers = {}) =>
  (_times: number, response: ServerResponse) =>
    void response.writeHead(code, headers).end();

/** By path: what the `times`-th request gets. Each path stands for a host of its own. */
const waysOf = (picture: Buffer): Ways => {
  const good = (response: ServerResponse) =>
    void response.writeHead(200, { 'content-type': 'image/jpeg' }).end(picture);
  const first = (few: number, bad: Ways[string]) => (times: number, response: ServerResponse) =>
    times <= few ? bad(times, response) : good(response);
  const cutInTheBody = (_times: number, response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'image/jpeg', 'content-length': picture.length });
    response.write(picture.subarray(0, picture.length / 2), () => response.socket?.resetAndDestroy());
  };
  return {
    '/always-500': status(500),
    '/always-503': status(503),
    '/always-reset': cutInTheBody,
    '/once-500': first(1, status(500)),
    '/twice-503': first(2, status(503)),
    '/once-reset': first(1, cutInTheBody),
    '/once-429': first(1, status(429, { 'retry-after': '2' })),
    '/never-404': status(404),
    '/never-410': status(410),
    '/good': first(0, status(500)),
  };
};

const requests: Record<string, number> = {
  '/always-500': attempts,
  '/always-503': attempts,
  '/always-reset': attempts,
  '/once-500': 2,
  '/twice-503': 3,
  '/once-reset': 2,
  '/once-429': 2,
  '/never-404': 1,
  '/never-410': 1,
  '/good': 1,
};
const waitsMs = [1_000, 5_000, 30_000, 120_000];

test(
  `fault 27: a failing source is asked as often as it should, and never too soon (${attempts} tries)`,
  { timeout: 60_000 + attempts * 60_000 },
  async () => {
    const picture = await sharp({ create: { width: 64, height: 48, channels: 3, background: '#777' } })
      .jpeg()
      .toBuffer();
    const ways = waysOf(picture);
    // A host of its own for each, or the pause that one asks for would hold up the others.
    const hosts = await Promise.all(
      Object.values(ways).map(async (way, n) => openHost(way, Object.keys(ways)[n] ?? '')),
    );
    try {
      const allow = hosts.map(({ host }) => host).join(',');
      await using product = await openStandalone({ DARKROOM_ALLOW_HOSTS: allow, DARKROOM_ATTEMPTS: String(attempts) });
      const body = catalogForm(hosts.map(({ url }) => url));
      const answer = await fetch(`${product.url}/upload`, { method: 'POST', body });
      const { request_id: id } = (await answer.json()) as { request_id: string };
      const state = async () => {
        const now = await fetch(`${product.url}/status/${id}`);
        return (await now.json()) as { status: string; failed_images: number };
      };
      const timeout = 50_000 + attempts * 55_000;
      await expect.poll(async () => (await state()).status, { timeout, interval: 200 }).toBe('completed');
      expect((await state()).failed_images).toBe(5);
      expect(Object.fromEntries([...asked].map(([path, times]) => [path, times.length]))).toEqual(requests);
      const gaps = [...asked.values()].flatMap((times) =>
        times.slice(1).map((at, n) => (at - times[n]!) / waitsMs[n]!),
      );
      // A fifth less is the most that chance may take off a wait.
      expect(Math.min(...gaps)).toBeGreaterThan(0.79);
      const [refusedAt = 0, againAt = 0] = asked.get('/once-429') ?? [];
      expect(againAt - refusedAt).toBeGreaterThanOrEqual(2_000);
      tellFigures(`fault 27, ${[...asked.values()].flat().length} requests as counted beforehand`, {
        rounds: 1,
        lost: 0,
      });
    } finally {
      for (const { close } of hosts) close();
    }
  },
);

async function openHost(way: Ways[string], path: string) {
  const server = createServer((_request: IncomingMessage, response) => {
    const times = [...(asked.get(path) ?? []), performance.now()];
    asked.set(path, times);
    way(times.length, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { host, url: `http://${host}${path}`, close: () => (server.closeAllConnections(), server.close()) };
}
