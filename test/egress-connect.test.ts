// Connections: certificates are verified, every answer is judged, and so is the peer at the end of the socket.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates, type SecureVersion } from 'node:tls';
import { expect, test, vi } from 'vitest';
import { openAgent } from '../src/egress/connect.ts';
import { sourceLimits } from '../src/egress/limits.ts';
import { problem } from '../src/problem.ts';
import { codeOf, openTestEgress, problemOf, testSettings } from './support/egress.ts';
import { openHostileSource } from './support/hostile.ts';

const certificate = makeCertificate();
if (!certificate) console.warn('SKIPPED: certificates of the egress guard, because openssl is not installed.');

/** A certificate for good.test that signs itself; made anew each time, because keys do not belong in a repository. */
function makeCertificate(): { key: string; cert: string } | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'egress-'));
  const [key, cert] = [join(folder, 'key'), join(folder, 'cert')];
  const names = ['-subj', '/CN=good.test', '-addext', 'subjectAltName=DNS:good.test'];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  try {
    execFileSync('openssl', ['req', '-x509', ...kind, ...names, '-keyout', key, '-out', cert], { stdio: 'ignore' });
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
  } catch (error) {
    if (process.env.CI) throw error;
    return undefined;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

type TlsWishes = { trusted?: boolean; maxVersion?: SecureVersion; ciphers?: string; answer?: RequestListener };

/** A TLS server; `trusted` makes this process vouch for it, as an operator would by NODE_EXTRA_CA_CERTS. */
async function openTls(options: TlsWishes = {}) {
  const authorities = getCACertificates();
  if (options.trusted) setDefaultCACertificates([...authorities, certificate?.cert ?? '']);
  const answer: RequestListener = options.answer ?? ((_request, response) => response.end('a picture'));
  const low = options.maxVersion ? { maxVersion: options.maxVersion, minVersion: options.maxVersion } : {};
  const server = createTlsServer({ ...certificate, ...low, ciphers: options.ciphers }, answer);
  const port = await listen(server);
  const egress = openTestEgress({
    config: { allowHosts: [`good.test:${port}`, `other.test:${port}`] },
    resolve: async () => ['127.0.0.1'],
  });
  return {
    get: (host: string) => egress.fetch(`https://${host}:${port}/`),
    async [Symbol.asyncDispose]() {
      setDefaultCACertificates(authorities);
      await egress.close();
      await new Promise((done) => server.close(done));
    },
  };
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return (server.address() as AddressInfo).port;
}

test.skipIf(!certificate)('a certificate nobody vouches for is refused, whatever the environment says', async () => {
  await using server = await openTls();
  const refusal = { code: 'tls_failed', retryable: false, facts: { host: expect.stringContaining('good.test') } };
  expect(await problemOf(() => server.get('good.test'))).toMatchObject(refusal);
  vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
  expect(await codeOf(() => server.get('good.test'))).toBe('tls_failed');
  vi.unstubAllEnvs();
});

test.skipIf(!certificate)('a trusted certificate is taken for its own name and for no other', async () => {
  await using server = await openTls({ trusted: true });
  expect((await server.get('good.test')).bytes).toBe(9);
  expect(await codeOf(() => server.get('other.test'))).toBe('tls_failed');
});

test.skipIf(!certificate)('TLS below 1.2 is refused', async () => {
  await using server = await openTls({ trusted: true, maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' });
  expect(await codeOf(() => server.get('good.test'))).toBe('tls_failed');
});

test.skipIf(!certificate)('a redirect from https to http is not followed', async () => {
  const answer: RequestListener = (_request, response) =>
    void response.writeHead(302, { location: 'http://public.example/ok' }).end();
  await using server = await openTls({ trusted: true, answer });
  expect(await codeOf(() => server.get('good.test'))).toBe('invalid_redirect');
});

test('a plain server behind https is no TLS', async () => {
  await using source = await openHostileSource();
  await using egress = openTestEgress({ config: { allowHosts: [source.host] } });
  expect(await codeOf(() => egress.fetch(`https://${source.host}/ok`))).toBe('tls_failed');
});

test.each([
  ['one private answer among public ones', ['93.184.216.34', '10.0.0.5'], 'blocked_address'],
  ['a private IPv6 answer beside a public IPv4 one', ['93.184.216.34', '::1'], 'blocked_address'],
  ['a mapped loopback answer', ['::ffff:127.0.0.1'], 'blocked_address'],
  ['an answer that is no address', ['localhost'], 'blocked_address'],
  ['no answer', [], 'dns_failure'],
])('%s refuses the name', async (_what, addresses, code) => {
  await using egress = openTestEgress({ resolve: async () => addresses });
  const refusal = await problemOf(() => egress.fetch('http://name.test/'));
  expect(refusal.code).toBe(code);
  expect(refusal.message).not.toMatch(/10\.0|::1|127/);
});

test('a name is resolved once for a connection', async () => {
  await using source = await openHostileSource();
  const port = source.host.split(':')[1];
  const resolve = vi.fn<() => Promise<string[]>>(async () => ['127.0.0.1']);
  await using egress = openTestEgress({ config: { allowHosts: [`name.test:${port}`] }, resolve });
  await egress.fetch(`http://name.test:${port}/ok`);
  expect(resolve).toHaveBeenCalledTimes(1);
});

/** A server that counts who comes, and a request to it through a judge with the given verdicts. */
async function askJudged(host: string, verdicts: boolean[]) {
  const seen = { connections: 0, requests: 0 };
  const server = createServer((_request, response) => void response.end(String((seen.requests += 1))));
  server.on('connection', () => (seen.connections += 1));
  const port = await listen(server);
  const judge = { admits: () => verdicts.shift() ?? false, refuse: () => problem('connect_failed') };
  const limits = sourceLimits(testSettings);
  const agent = openAgent({ resolve: async () => ['127.0.0.1'], judge, limits, keepsAlive: true });
  const asking = agent.request({ origin: `http://${host}:${port}`, path: '/', method: 'GET' });
  await expect(asking).rejects.toMatchObject({ code: 'connect_failed' });
  await agent.destroy();
  await new Promise((done) => server.close(done));
  return seen;
}

test('a peer that is not admitted gets no request, though its name was', async () => {
  expect(await askJudged('name.test', [true, false])).toEqual({ connections: 1, requests: 0 });
});

test('a literal that is not admitted gets no connection, though nobody looked it up', async () => {
  expect(await askJudged('127.0.0.1', [false])).toEqual({ connections: 0, requests: 0 });
});
