// attack.ts — runs inside a network namespace of its own: every attack on the guard, as a source and as a webhook.
//
// Prints one JSON line with what happened; egress-namespace.test.ts judges it. Arguments: the files with attack URLs.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Egress } from '../../../src/egress/egress.ts';
import { openTestEgress, outcomeOf, problemOf } from '../egress.ts';
import { serveNames } from './names.ts';
import { publicAddress, publicAddress6, setTrap, takeAddresses, type Trap } from './trap.ts';

export type Findings = {
  vectors: number;
  /** Breaches of the guard, by way; and of a plain fetch, to show that the trap is open. */
  breaches: { source: string[]; webhook: string[]; plain: number };
  reached: { source: Record<string, string>; webhook: Record<string, string> };
  inward: { source: Record<string, string>; webhook: Record<string, string> };
  rebinding: { source: Record<string, number>; webhook: Record<string, number> };
  scan: { messages: string[]; visits: number; medians: [open: number, closed: number] };
  slow: { outcomes: string[]; ms: number; longestWriteMs: number };
};

type Way = (egress: Egress, url: string) => Promise<unknown>;

const ways: Record<'source' | 'webhook', Way> = {
  source: (egress, url) => egress.fetch(url),
  webhook: (egress, url) => egress.post(url, { headers: {}, body: Buffer.from('{}') }),
};

const redirectTo = (url: string) => `http://public.test/r/${encodeURIComponent(url)}`;

const inwardUrls = [
  'http://mixed6.test/',
  'http://teredo.test/',
  'http://alias.test/',
  redirectTo('http://alias.test/'),
  redirectTo(redirectTo('http://local.test/')),
  redirectTo(redirectTo(redirectTo('http://[::1]/'))),
  redirectTo(redirectTo(redirectTo(redirectTo('http://public.test/')))),
];

const publicUrls = [
  'http://public.test/ok',
  'http://public.test:8080/ok',
  'http://pub6.test/ok',
  `http://${publicAddress}/ok`,
  `http://[${publicAddress6}]/ok`,
];

const readLines = (file: string) => readFileSync(file, 'utf8').split('\n').filter(Boolean);
console.log(JSON.stringify(await attack(await openNamespace(), process.argv.slice(2).flatMap(readLines))));
process.exit(0);

async function openNamespace(): Promise<Trap> {
  takeAddresses();
  const folder = mkdtempSync(join(tmpdir(), 'namespace-'));
  const files = {
    'resolv.conf': 'nameserver 127.0.0.53\n',
    hosts: '127.0.0.1 localhost\n::1 localhost ip6-loopback\n',
  };
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(folder, name), text);
    execFileSync('mount', ['--bind', join(folder, name), `/etc/${name}`]);
  }
  await serveNames();
  return setTrap();
}

async function attack(trap: Trap, vectors: string[]): Promise<Findings> {
  const both = async <T>(act: (way: Way) => Promise<T>) => ({
    source: await act(ways.source),
    webhook: await act(ways.webhook),
  });
  const breaches = await both(async (way) => {
    const before = trap.breaches.length;
    await tryAll(way, vectors);
    return trap.breaches.slice(before);
  });
  const sum = trap.breaches.length;
  const reached = await both((way) => tryAll(way, publicUrls));
  const inward = await both((way) => tryAll(way, inwardUrls));
  const rebinding = await both(tryRebinding);
  const slow = await waitForSlowNames();
  const scan = await scanPorts(trap);
  // What was reached after the lists belongs to no single way, but it is a breach of both.
  for (const breach of trap.breaches.slice(sum)) breaches.source.push(breach);
  const guarded = trap.breaches.length;
  await inEights(vectors, (url) => fetch(url, { signal: AbortSignal.timeout(2000) }).catch(() => {}));
  const plain = trap.breaches.length - guarded;
  return { vectors: vectors.length, breaches: { ...breaches, plain }, reached, inward, rebinding, scan, slow };
}

/** Each URL by a client of its own, so that no connection is used again; the outcomes by URL. */
async function tryAll(way: Way, urls: string[]): Promise<Record<string, string>> {
  const outcomes: Record<string, string> = {};
  await inEights(urls, async (url) => {
    await using egress = openTestEgress();
    outcomes[url] = await outcomeOf(() => way(egress, url));
  });
  return outcomes;
}

async function tryRebinding(way: Way): Promise<Record<string, number>> {
  const stamp = way === ways.source ? 's' : 'w';
  const urls = Array.from({ length: 20 }, (_, i) => [
    `http://${stamp}${i}.outside-first.rebind.test/`,
    `http://${stamp}${i}.inside-first.rebind.test/`,
  ]).flat();
  const outcomes = Object.values(await tryAll(way, urls));
  return Object.fromEntries(
    Map.groupBy(outcomes, (each) => each)
      .entries()
      .map(([key, all]) => [key, all.length]),
  );
}

/** A dead name server must not hold the threads that write files. */
async function waitForSlowNames(): Promise<Findings['slow']> {
  await using egress = openTestEgress();
  const file = join(mkdtempSync(join(tmpdir(), 'namespace-')), 'file');
  const begun = performance.now();
  const names = { pending: true };
  let longestWriteMs = 0;
  const all = Promise.all(
    Array.from({ length: 16 }, (_, i) => outcomeOf(() => egress.fetch(`http://slow.test:${i % 2 ? 80 : 8080}/`))),
  ).finally(() => (names.pending = false));
  while (names.pending) {
    const before = performance.now();
    await writeFile(file, 'x');
    longestWriteMs = Math.max(longestWriteMs, performance.now() - before);
    await new Promise((done) => setTimeout(done, 20));
  }
  return { outcomes: [...new Set(await all)], ms: performance.now() - begun, longestWriteMs };
}

/** Asks 200 times for an open and for a closed port of an address inside: words, visits and time must tell nothing. */
async function scanPorts(trap: Trap): Promise<Findings['scan']> {
  await trap.close(8443);
  const before = trap.visits();
  await using egress = openTestEgress();
  const messages = new Set<string>();
  const times: [number[], number[]] = [[], []];
  for (let i = 0; i < 400; i++) {
    const begun = performance.now();
    const problem = await problemOf(() => egress.fetch(i % 2 ? 'http://local.test:8443/' : 'http://local.test:8080/'));
    times[i % 2 ? 1 : 0].push(performance.now() - begun);
    messages.add(problem.message.replace(/:8\d+/, ''));
  }
  return { messages: [...messages], visits: trap.visits() - before, medians: [median(times[0]), median(times[1])] };
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

async function inEights<T>(items: T[], act: (item: T) => Promise<unknown>): Promise<void> {
  const line = items.values();
  const work = async () => {
    for (const item of line) await act(item);
  };
  await Promise.all(Array.from({ length: 8 }, work));
}
