// What is refused before any name server is asked: the shape of the URL, its port, its address.

import { isIP } from 'node:net';
import { expect, test } from 'vitest';
import { maxUrlLength } from '../src/egress/check.ts';
import { corpusLines, hasCorpora } from './support/corpora.ts';
import { codeOf, openTestEgress, outcomeOf, problemOf } from './support/egress.ts';

await using egress = openTestEgress();
const check = (url: string) => outcomeOf(() => egress.check(url, 'source'));

test.each([
  'http://example.com/a.jpg',
  'https://example.com/a.jpg?x=1#top',
  'HTTPS://EXAMPLE.COM/a.jpg',
  'http://example.com:8080/',
  'https://example.com:8443/',
  'https://example.com:80/',
  'http://93.184.216.34/',
  'http://[2606:2800:220:1::1]/',
  'http://bücher.example/',
  'http://receiver/hook',
])('%s may be asked', async (url) => expect(await check(url)).toBe('ok'));

test.each([
  ['', 'nothing'],
  ['example.com/a.jpg', 'no scheme'],
  ['//example.com/a.jpg', 'no scheme'],
  ['ftp://example.com/a.jpg', 'another scheme'],
  ['file:///etc/passwd', 'another scheme'],
  ['http:example.com', 'no slashes'],
  ['http:/example.com', 'one slash'],
  ['http:///example.com', 'three slashes'],
  ['http://', 'no host'],
  ['http://?x', 'no host'],
  ['http://./', 'a host of dots'],
  ['http://user@example.com/', 'a user'],
  ['http://user:word@example.com/', 'a password'],
  ['http://:word@example.com/', 'a password alone'],
  ['http://example.com/a b.jpg', 'a blank'],
  [' http://example.com/', 'a leading blank'],
  ['http://example.com/\r\nHost: x', 'a line break'],
  ['http://exa\tmple.com/', 'a tab'],
  ['http://example.com/\u0000', 'a NUL'],
  ['http://example.com/\u007f', 'a DEL'],
  ['http:\\\\example.com\\', 'backslashes'],
  ['http://example.com:99999/', 'no port'],
  ['http://exa%00mple.com/', 'an escaped NUL in the host'],
  ['http://[fe80::1%25lo]/', 'a zone id'],
])('%j is no URL for us (%s)', async (url) => expect(await check(url)).toBe('invalid_url'));

test(`a URL is at most ${maxUrlLength} characters long`, async () => {
  const start = 'http://example.com/';
  expect(await check(start.padEnd(maxUrlLength, 'a'))).toBe('ok');
  expect(await check(start.padEnd(maxUrlLength + 1, 'a'))).toBe('invalid_url');
});

test.each([
  'http://localhost/',
  'http://LOCALHOST./',
  'http://localhost../',
  'http://a.localhost/',
  'http://127.0.0.1/',
  'http://127.0.0.1../',
  'http://2130706433/',
  'http://0x7f.1/',
  'http://①②⑦.⓪.⓪.①/',
  'http://[::ffff:7f00:1]/',
  'http://[::7f00:1]/',
  'http://169.254.169.254/',
  'http://example.com:22/',
  'http://example.com:6379/',
])('%s may not be asked', async (url) => expect(await check(url)).toBe('blocked_address'));

test('the trailing dot of a name is dropped before anybody compares it', () => {
  expect(egress.check('http://example.com./a', 'source').href).toBe('http://example.com/a');
});

test('a refusal names the host as it was typed and the setting that opens it', async () => {
  const name = await problemOf(() => egress.check('http://localhost:3000/secret?token=1', 'source'));
  expect(name.message).toBe('blocked_address: set DARKROOM_ALLOW_HOSTS=localhost:3000 to allow this host');
  const address = await problemOf(() => egress.check('http://10.0.0.5/', 'source'));
  expect(address.message).toBe('blocked_address: set DARKROOM_ALLOW_HOSTS=10.0.0.5 to allow this host');
});

test.skipIf(!hasCorpora)('of the attack URLs only names reach the name server', async () => {
  const urls = [...corpusLines('urls/egress-vectors/vectors.txt'), ...corpusLines('urls/ssrf-urls/urls.txt')];
  const outcomes = await Promise.all(urls.map(async (url) => ({ url, outcome: await check(url) })));
  const hosts = outcomes.filter(({ outcome }) => outcome === 'ok').map(({ url }) => new URL(url).hostname);
  expect(outcomes).toHaveLength(190);
  expect(hosts.filter((host) => isIP(host.replace(/^\[|\]$/g, '')) !== 0)).toEqual(['1.1.1.1']);
  expect(hosts.filter((host) => /localhost|^\.|\.$/.test(host))).toEqual([]);
  // A guard that refuses everything must fail, too.
  expect(hosts.length).toBe(51);
});

test('webhook addresses pass the same judgement', async () => {
  expect(await codeOf(() => egress.check('http://127.0.0.1/hook', 'webhook'))).toBe('blocked_address');
  expect(await codeOf(() => egress.check('ftp://example.com/hook', 'webhook'))).toBe('invalid_url');
  expect(egress.check('https://example.com/hook', 'webhook').host).toBe('example.com');
});
