// Redirects: each hop is judged like a first address, and what it pointed at is not told.

import { expect, test } from 'vitest';
import { codeOf, openTestEgress, problemOf } from './support/egress.ts';
import { openHostileSource } from './support/hostile.ts';

/** Two servers under the names public.test and other.test, and a name that leads inside. */
async function openTwoHosts() {
  const first = await openHostileSource();
  const second = await openHostileSource();
  const [port, otherPort] = [first, second].map(({ host }) => host.split(':')[1]);
  const egress = openTestEgress({
    config: { allowHosts: [`public.test:${port}`, `other.test:${otherPort}`] },
    resolve: async (name) => (name === 'inside.test' ? ['10.0.0.5'] : ['127.0.0.1']),
  });
  const base = `http://public.test:${port}`;
  return {
    first,
    second,
    other: `http://other.test:${otherPort}`,
    host: `public.test:${port}`,
    get: (path: string) => egress.fetch(`${base}${path}`),
    redirectTo: (url: string) => egress.fetch(`${base}/to?url=${encodeURIComponent(url)}`),
    async [Symbol.asyncDispose]() {
      await egress.close();
      await first[Symbol.asyncDispose]();
      await second[Symbol.asyncDispose]();
    },
  };
}

test('a redirect is followed, to a relative address and to another host', async () => {
  await using hosts = await openTwoHosts();
  expect((await hosts.get('/relative')).host).toBe(hosts.host);
  expect(`http://${(await hosts.redirectTo(`${hosts.other}/ok`)).host}`).toBe(hosts.other);
});

test('three redirects are followed, and no fourth', async () => {
  await using hosts = await openTwoHosts();
  expect((await hosts.get('/hops?left=3')).bytes).toBeGreaterThan(0);
  expect(await codeOf(() => hosts.get('/hops?left=4'))).toBe('too_many_redirects');
  expect(await problemOf(() => hosts.get('/loop'))).toMatchObject({ code: 'too_many_redirects', retryable: false });
});

test.each([
  'file:///etc/passwd',
  'gopher://127.0.0.1:6379/_x',
  'javascript:alert(1)',
  'http://user:word@public.test/',
  'http://[not/',
  'http:\\\\127.0.0.1\\',
])('a redirect to %s is not followed', async (url) => {
  await using hosts = await openTwoHosts();
  expect(await problemOf(() => hosts.redirectTo(url))).toMatchObject({ code: 'invalid_redirect', retryable: false });
});

test.each(['/nowhere', '/twice'])('a redirect without one address (%s) is not followed', async (path) => {
  await using hosts = await openTwoHosts();
  expect(await codeOf(() => hosts.get(path))).toBe('invalid_redirect');
});

test.each(['http://127.0.0.1/', 'http://169.254.169.254/x', 'http://localhost/', '//10.0.0.5/', 'http://inside.test/'])(
  'a redirect inward to %s is refused without naming it',
  async (url) => {
    await using hosts = await openTwoHosts();
    const problem = await problemOf(() => hosts.redirectTo(url));
    expect(problem.code).toBe('blocked_address');
    expect(problem.message).toBe(
      `blocked_address: ${hosts.host} redirects to an address that may not be fetched from here`,
    );
    expect(problem.facts.host).toBe(hosts.host);
  },
);

test('the allow list opens no other port of the host a redirect names', async () => {
  await using hosts = await openTwoHosts();
  const otherPort = hosts.other.split(':')[2];
  expect(await codeOf(() => hosts.redirectTo(`http://public.test:${otherPort}/ok`))).toBe('blocked_address');
  expect(hosts.second.seen).toEqual([]);
});

test('an error after a redirect tells which host it was', async () => {
  await using hosts = await openTwoHosts();
  const problem = await problemOf(() => hosts.redirectTo(`${hosts.other}/status?code=503&after=5`));
  expect(`http://${problem.facts.host}`).toBe(hosts.other);
  expect(problem.facts).toMatchObject({ httpStatus: 503, retryAfterMs: 5000 });
});

test('an address in UTF-8 is followed as it was meant', async () => {
  await using hosts = await openTwoHosts();
  const asBytes = Buffer.from('/ok?name=Bücher').toString('latin1');
  await hosts.redirectTo(asBytes);
  expect(hosts.first.seen.at(-1)?.url).toBe('/ok?name=B%C3%BCcher');
});

test('a source under our public base is read over the internal address', async () => {
  await using inside = await openHostileSource();
  const own = () => ({ publicUrl: 'https://pictures.example/room', internalUrl: inside.base, port: 8000 });
  await using egress = openTestEgress({ own });
  const status = await problemOf(() => egress.fetch('https://pictures.example/room/v1/files/ab12.jpg?x=1'));
  expect(inside.seen.map(({ url }) => url)).toEqual(['/v1/files/ab12.jpg']);
  expect(status.facts.host).toBe('pictures.example');
  await expect(egress.fetch(`${inside.base}/v1/files/ab12.jpg`)).rejects.toMatchObject({ code: 'blocked_address' });
});
