// The guard in a network namespace where private addresses answer: not one connection may reach them.
//
// Needs `unshare` and `ip`, as root or with user namespaces; elsewhere it says so and is skipped, in CI it fails.

import { execFile, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { corpusFile, corpusLines, hasCorpora } from './support/corpora.ts';
import type { Findings } from './support/namespace/attack.ts';

const lists = ['urls/egress-vectors/vectors.txt', 'urls/ssrf-urls/urls.txt'];
const flags = ['-nm', '-Urnm'].find((each) => {
  const tried = spawnSync('unshare', [each, 'sh', '-c', 'ip link set lo up && mount --bind /etc/hosts /etc/hosts']);
  return tried.status === 0;
});

if (!flags) {
  if (process.env.CI) throw new Error('no network namespace: the suite of the egress guard cannot run');
  console.warn('SKIPPED: the egress guard in a network namespace, because `unshare -n -m` and `ip` do not work here.');
}

const program = fileURLToPath(new URL('support/namespace/attack.ts', import.meta.url));
const files = lists.map(corpusFile);
const canRun = flags !== undefined && hasCorpora;
const findings = canRun ? await attack(flags) : undefined;
async function attack(flag: string): Promise<Findings> {
  const run = promisify(execFile)('unshare', [flag, process.execPath, program, ...files], { timeout: 90_000 });
  const { stdout } = await run;
  const found = JSON.parse(stdout) as Findings;
  const { source, webhook } = found.breaches;
  console.log(
    `${found.vectors} attack URLs as sources: breaches ${source.length}; as webhooks: breaches ${webhook.length}`,
  );
  return found;
}

function happened(): Findings {
  if (!findings) throw new Error('the attack did not run');
  return findings;
}

function allBreaches({ breaches }: Findings): string[] {
  return [...breaches.source, ...breaches.webhook];
}

test.skipIf(!canRun)('no attack URL reaches a private address, as a source or as a webhook', () => {
  const found = happened();
  expect(found.vectors).toBe(lists.flatMap(corpusLines).length);
  expect(allBreaches(found)).toEqual([]);
});

test.skipIf(!canRun)('the trap is open: the same URLs lead a plain fetch inside', () => {
  const found = happened();
  expect(found.breaches.plain).toBeGreaterThan(50);
});

test.skipIf(!canRun)('public hosts are reached over IPv4 and IPv6, by name and by address', () => {
  const found = happened();
  expect(new Set(Object.values(found.reached.source))).toEqual(new Set(['ok']));
  expect(new Set(Object.values(found.reached.webhook))).toEqual(new Set(['ok']));
});

test.skipIf(!canRun)('mixed answers, aliases and deep redirects inward are refused', () => {
  const found = happened();
  const refused = ['blocked_address', 'blocked_address', 'blocked_address'];
  const { source, webhook } = found.inward;
  expect(Object.values(source).toSorted()).toEqual([...refused, ...refused, 'too_many_redirects']);
  // To a webhook a redirect is an answer like any other.
  expect(Object.values(webhook).toSorted()).toEqual([...refused, 'ok', 'ok', 'ok', 'ok']);
});

test.skipIf(!canRun)('a name that changes its address is pinned to what was judged', () => {
  const found = happened();
  const pinned = { ok: 20, blocked_address: 20 };
  expect(found.rebinding).toEqual({ source: pinned, webhook: pinned });
});

test.skipIf(!canRun)('open and closed ports inside look alike', () => {
  const found = happened();
  expect(found.scan.messages).toHaveLength(1);
  expect(found.scan.visits).toBe(0);
});

test.skipIf(!canRun)('a dead name server ends in dns_failure and does not hold up file writes', () => {
  const found = happened();
  expect(found.slow.outcomes).toEqual(['dns_failure']);
  expect(found.slow.ms).toBeLessThan(5000);
  expect(found.slow.longestWriteMs).toBeLessThan(1000);
});
