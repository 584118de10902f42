// resolve.ts — turns a name into its addresses without getaddrinfo.
//
// getaddrinfo holds a thread of libuv's pool while a dead name server is silent, and file writes then wait behind it.
// The hosts file is read as the system would read it: a name that stands there is not asked for elsewhere. Search
// domains are not applied: a name means the same wherever the service runs.

import { readFile } from 'node:fs/promises';
import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';

/** The addresses of a name, IPv4 first; an empty list when there are none. */
export type Resolve = (name: string) => Promise<string[]>;

const maxAnswers = 32;
const answerWithinMs = 3000;
// Laptops change networks and containers change hosts files: both are read anew after a while.
const freshForMs = 30_000;

const hostsFile = process.platform === 'win32' ? 'C:\\Windows\\System32\\drivers\\etc\\hosts' : '/etc/hosts';

export function openResolver(): Resolve {
  let known: { names: Map<string, string[]>; resolver: Resolver; readAt: number } | undefined;

  const refresh = async () => {
    if (known && performance.now() - known.readAt < freshForMs) return known;
    const names = readHosts(await readFile(hostsFile, 'utf8').catch(() => ''));
    known = { names, resolver: new Resolver({ timeout: 1000, tries: 2 }), readAt: performance.now() };
    return known;
  };

  return async (name) => {
    const { names, resolver } = await refresh();
    const listed = names.get(name.toLowerCase());
    if (listed) return listed;
    const answers = await Promise.all([
      within(answerWithinMs, resolver.resolve4(name)),
      within(answerWithinMs, resolver.resolve6(name)),
    ]);
    return answers.flat();
  };
}

/** Keeps the addresses few enough to try; the guard has judged them all before. */
export const firstAnswers = (addresses: string[]): string[] => addresses.slice(0, maxAnswers);

/** A name server that fails or stays silent about one family is as good as one without answers for it. */
async function within(ms: number, answers: Promise<string[]>): Promise<string[]> {
  const { promise: late, resolve } = Promise.withResolvers<string[]>();
  const timer = setTimeout(resolve, ms, []);
  try {
    return await Promise.race([answers.catch(() => []), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Reads lines of "address name name… # remark". */
export function readHosts(text: string): Map<string, string[]> {
  const names = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [address = '', ...aliases] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (isIP(address) === 0 || address.includes('%')) continue;
    for (const alias of aliases.map((each) => each.toLowerCase()))
      names.set(alias, [...(names.get(alias) ?? []), address]);
  }
  return names;
}
