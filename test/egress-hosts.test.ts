// Politeness: fewer connections for a host that struggles, a pause for one that asks, one probe for one that was gone.

import { expect, test } from 'vitest';
import { openHosts } from '../src/egress/hosts.ts';
import { problemOf } from './support/egress.ts';

const host = 'cdn.example:8080';
const minute = 60_000;

function openPolite(connections = 8) {
  let time = 1_000_000;
  const hosts = openHosts({ connections, now: () => time });
  const failing = (code: string, more: { httpStatus?: number; retryAfterMs?: number } = {}) =>
    hosts.report(host, { ok: false, code, ...more });
  return {
    hosts,
    failing,
    unreachable: (times: number) => {
      for (let i = 0; i < times; i++) failing('connect_failed');
    },
    succeeding: (times: number) => {
      for (let i = 0; i < times; i++) hosts.report(host, { ok: true });
    },
    connections: () => hosts.snapshot().find((each) => each.host === host)?.connections ?? connections,
    pass: (ms: number) => void (time += ms),
    time: () => time,
  };
}

/** How many get a permit at once of those who ask; the others give up. */
async function admitted(hosts: ReturnType<typeof openPolite>['hosts'], asking: number, name = host): Promise<number> {
  const controller = new AbortController();
  const entering = Array.from({ length: asking }, () => hosts.enter(name, controller.signal));
  await new Promise((done) => setImmediate(done));
  controller.abort();
  const permits = (await Promise.allSettled(entering)).filter((each) => each.status === 'fulfilled');
  for (const { value } of permits) value.release();
  return permits.length;
}

test('eight connections of a host are taken at once and the ninth waits for one to end', async () => {
  const { hosts } = openPolite();
  const permits = await Promise.all(Array.from({ length: 8 }, () => hosts.enter(host)));
  let entered = false;
  const ninth = hosts.enter(host).then((permit) => ((entered = true), permit));
  await new Promise((done) => setImmediate(done));
  expect(entered).toBe(false);
  permits[0]?.release();
  permits[0]?.release();
  (await ninth).release();
  expect(await admitted(hosts, 20, 'other.example')).toBe(8);
});

test.each([
  ['rate_limited', undefined],
  ['timeout', undefined],
  ['server_error', undefined],
  ['server_error', 503],
])('%s (%s) halves the connections of the host alone', async (code, httpStatus) => {
  const polite = openPolite();
  polite.failing(code, { httpStatus });
  expect(await admitted(polite.hosts, 20)).toBe(4);
  expect(await admitted(polite.hosts, 20, 'other.example')).toBe(8);
  for (let i = 0; i < 3; i++) polite.failing('rate_limited');
  expect(await admitted(polite.hosts, 20)).toBe(1);
});

test.each([
  ['not_found', 404],
  ['server_error', 500],
  ['too_large', 200],
])('%s (%i) changes nothing', (code, httpStatus) => {
  const polite = openPolite();
  polite.failing(code, { httpStatus });
  expect(polite.hosts.snapshot()).toEqual([]);
});

test('twenty successes give one connection back, and never more than the host began with', () => {
  const polite = openPolite();
  polite.failing('rate_limited');
  polite.succeeding(19);
  expect(polite.connections()).toBe(4);
  polite.succeeding(1);
  expect(polite.connections()).toBe(5);
  polite.succeeding(200);
  expect(polite.connections()).toBe(8);
  expect(polite.hosts.snapshot()).toEqual([]);
});

test('Retry-After blocks the host for that long, at most an hour', () => {
  const polite = openPolite();
  expect(polite.hosts.blockedFor(host)).toBe(0);
  polite.failing('rate_limited', { retryAfterMs: 7000 });
  expect(polite.hosts.blockedFor(host)).toBe(7000);
  polite.pass(7000);
  expect(polite.hosts.blockedFor(host)).toBe(0);
  polite.failing('server_error', { httpStatus: 503, retryAfterMs: 90 * minute });
  expect(polite.hosts.blockedFor(host)).toBe(60 * minute);
});

test('five failures to connect in a row block, four and a success do not', () => {
  const polite = openPolite();
  polite.unreachable(4);
  polite.succeeding(1);
  polite.unreachable(4);
  expect(polite.hosts.blockedFor(host)).toBe(0);
  polite.unreachable(1);
  expect(polite.hosts.blockedFor(host)).toBe(30_000);
});

test('a host that answers anything is not gone', () => {
  const polite = openPolite();
  polite.unreachable(4);
  polite.failing('not_found', { httpStatus: 404 });
  polite.unreachable(4);
  expect(polite.hosts.blockedFor(host)).toBe(0);
});

test('requests that were under way when the block came do not lengthen it', () => {
  const polite = openPolite();
  polite.unreachable(8);
  expect(polite.hosts.blockedFor(host)).toBe(30_000);
  polite.succeeding(1);
  expect(polite.hosts.blockedFor(host)).toBe(30_000);
});

test('each failed probe doubles the block, up to ten minutes', () => {
  const polite = openPolite();
  polite.unreachable(5);
  const blocks: number[] = [];
  for (let i = 0; i < 6; i++) {
    const block = polite.hosts.blockedFor(host);
    blocks.push(block);
    polite.pass(block);
    polite.failing('dns_failure');
  }
  expect(blocks).toEqual([30_000, 60_000, 120_000, 240_000, 480_000, 600_000]);
});

test('after a block one probe passes, and its success lets the others in', async () => {
  const polite = openPolite();
  polite.unreachable(5);
  polite.pass(30_000);
  expect(polite.hosts.blockedFor(host)).toBe(0);
  const probe = await polite.hosts.enter(host);
  expect(polite.hosts.blockedFor(host)).toBeGreaterThan(0);
  const others = [polite.hosts.enter(host), polite.hosts.enter(host)];
  let entered = 0;
  for (const other of others) void other.then(() => (entered += 1));
  await new Promise((done) => setImmediate(done));
  expect(entered).toBe(0);
  polite.succeeding(1);
  await Promise.all(others);
  probe.release();
  expect(polite.hosts.blockedFor(host)).toBe(0);
});

test('who waits for a probe that fails is sent home with the time to come back', async () => {
  const polite = openPolite();
  polite.unreachable(5);
  polite.pass(30_000);
  const probe = await polite.hosts.enter(host);
  const waiting = problemOf(() => polite.hosts.enter(host));
  polite.failing('connect_failed');
  probe.release();
  const sent = { code: 'connect_failed', retryable: true, facts: { host, retryAfterMs: minute } };
  expect(await waiting).toMatchObject(sent);
  expect(await problemOf(() => polite.hosts.enter(host))).toMatchObject(sent);
});

test('a host that asked for a pause turns callers away as rate_limited', async () => {
  const polite = openPolite();
  polite.failing('rate_limited', { retryAfterMs: 5000 });
  const problem = await problemOf(() => polite.hosts.enter(host));
  expect(problem).toMatchObject({ code: 'rate_limited', retryable: true, facts: { retryAfterMs: 5000 } });
});

test('who stops waiting leaves the line', async () => {
  const { hosts } = openPolite(1);
  const permit = await hosts.enter(host);
  const controller = new AbortController();
  const waiting = hosts.enter(host, controller.signal);
  controller.abort(new Error('stopping'));
  await expect(waiting).rejects.toThrow('stopping');
  await expect(hosts.enter(host, controller.signal)).rejects.toThrow('stopping');
  permit.release();
  expect(await admitted(hosts, 1)).toBe(1);
});

test('blocks and slowdowns travel between processes, and a recovery has to be earned in each', () => {
  const one = openPolite();
  const other = openPolite();
  one.failing('rate_limited');
  one.unreachable(5);
  const states = one.hosts.snapshot();
  const [blockedUntil, slowedUntil] = [new Date(one.time() + 30_000), new Date(one.time() + 10_000)];
  expect(states).toEqual([{ host, blockedUntil, slowedUntil, connections: 4, failures: 5 }]);
  other.hosts.merge(states);
  expect(other.hosts.blockedFor(host)).toBe(30_000);
  expect(other.connections()).toBe(4);
  other.pass(30_000);
  other.hosts.merge(states);
  expect(other.hosts.blockedFor(host)).toBe(0);
  other.failing('connect_failed');
  expect(other.hosts.blockedFor(host)).toBe(minute);
  other.pass(minute);
  other.succeeding(20);
  other.hosts.merge(states);
  expect(other.connections()).toBe(5);
});

test('hosts without troubles are forgotten, and troubled ones after an hour of silence', () => {
  const polite = openPolite();
  for (let i = 0; i < 1000; i++) polite.hosts.report(`host-${i}.example`, { ok: true });
  polite.failing('rate_limited');
  expect(polite.hosts.snapshot()).toHaveLength(1);
  polite.pass(61 * minute);
  expect(polite.hosts.snapshot()).toEqual([]);
});
