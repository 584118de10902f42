// What DARKROOM_ALLOW_HOSTS opens, what it cannot open, and how the service treats its own address.

import { expect, test } from 'vitest';
import { readAllowList, type Target } from '../src/egress/allow.ts';
import { openTestEgress, outcomeOf, problemOf } from './support/egress.ts';

const at = (host: string, port = 80): Target => ({ host, port });

test('an entry with a port opens exactly that port', () => {
  const allow = readAllowList(['cdn.lan:3000', '[::1]:3000']);
  expect(allow.opensHost(at('cdn.lan', 3000))).toBe(true);
  expect(allow.opensHost(at('cdn.lan', 80))).toBe(false);
  expect(allow.opensHost(at('cdn.lan', 3001))).toBe(false);
  expect(allow.opensHost(at('::1', 3000))).toBe(true);
});

test('an entry without a port opens the usual ports', () => {
  const allow = readAllowList(['cdn.lan', '10.1.2.3', '::1']);
  const targets = ['cdn.lan', '10.1.2.3', '::1'].flatMap((host) => [80, 443, 8080, 8443].map((port) => at(host, port)));
  expect(targets.filter(allow.opensHost)).toEqual(targets);
  expect(allow.opensHost(at('cdn.lan', 3000))).toBe(false);
});

test('an entry opens no neighbour, no subdomain and no other name of its address', () => {
  const allow = readAllowList(['cdn.lan', '10.1.2.3']);
  const others = ['www.cdn.lan', 'cdn.lan.example.com', 'xcdn.lan', '10.1.2.4'];
  expect(others.filter((host) => allow.opensHost(at(host)))).toEqual([]);
  expect(allow.opensAddress(at('other.lan'), '10.1.2.3')).toBe(false);
});

test('a network opens the addresses inside, at the usual ports', () => {
  const allow = readAllowList(['10.1.0.0/16', 'fd00::/64']);
  expect(allow.opensAddress(at('any.lan'), '10.1.0.0')).toBe(true);
  expect(allow.opensAddress(at('any.lan', 8443), '10.1.255.255')).toBe(true);
  expect(allow.opensAddress(at('any.lan'), 'fd00::1')).toBe(true);
  expect(allow.opensAddress(at('any.lan'), '10.2.0.0')).toBe(false);
  expect(allow.opensAddress(at('any.lan', 3000), '10.1.0.1')).toBe(false);
  expect(allow.opensHost(at('10.1.0.1'))).toBe(false);
});

test('metadata hosts open only by their own address', () => {
  const wide = readAllowList(['169.254.0.0/16', 'metadata.lan']);
  expect(wide.opensAddress(at('169.254.169.254'), '169.254.169.254')).toBe(false);
  expect(wide.opensAddress(at('metadata.lan'), '169.254.169.254')).toBe(false);
  expect(wide.opensAddress(at('metadata.lan'), '::ffff:169.254.169.254')).toBe(false);
  const exact = readAllowList(['169.254.169.254']);
  expect(exact.opensAddress(at('169.254.169.254'), '169.254.169.254')).toBe(true);
  expect(exact.opensAddress(at('169.254.169.254', 3000), '169.254.169.254')).toBe(false);
});

test('no entry opens the addresses that mean here or everybody', () => {
  const allow = readAllowList(['0.0.0.0/0', '::/0', 'cdn.lan']);
  const addresses = ['0.0.0.0', '::', '224.0.0.1', 'ff02::1', '255.255.255.255'];
  expect(addresses.filter((address) => allow.opensAddress(at('cdn.lan'), address))).toEqual([]);
  expect(() => readAllowList(['0.0.0.0', '[::]:80', '255.255.255.255'])).toThrow(
    '0.0.0.0 can never be opened; [::]:80 can never be opened; 255.255.255.255 can never be opened',
  );
});

test('entries and URLs meet in one spelling', () => {
  const allow = readAllowList(['CDN.Lan.', 'Bücher.example', '0x7f.1:3000']);
  expect(allow.opensHost(at('cdn.lan'))).toBe(true);
  expect(allow.opensHost(at('xn--bcher-kva.example'))).toBe(true);
  expect(allow.opensHost(at('127.0.0.1', 3000))).toBe(true);
});

test('wrong entries are all named at once', () => {
  const wrong = ['*.lan', 'http://cdn.lan', 'cdn.lan/24', '10.0.0.0/40', 'a b', 'cdn.lan:0', 'cdn.lan:70000', 'u@h'];
  expect(() => readAllowList(wrong)).toThrow(wrong.join(' is not a host, host:port or CIDR; '));
  expect(() => openTestEgress({ config: { allowHosts: ['*.lan'] } })).toThrow('*.lan is not a host, host:port or CIDR');
});

test('an allowed host passes the checks at its port and at no other', async () => {
  await using egress = openTestEgress({ config: { allowHosts: ['127.0.0.1:9000', 'localhost:9000'] } });
  expect(egress.check('http://127.0.0.1:9000/x.png', 'source').port).toBe('9000');
  expect(egress.check('http://localhost:9000/x.png', 'source').port).toBe('9000');
  const outcomes = ['http://127.0.0.1:9001/x.png', 'http://127.0.0.1/x.png', 'http://localhost:9001/'].map((url) =>
    outcomeOf(() => egress.check(url, 'source')),
  );
  expect(await Promise.all(outcomes)).toEqual(['blocked_address', 'blocked_address', 'blocked_address']);
});

const ownUrls = [
  'http://127.0.0.1:8080/hook',
  'http://[::1]:8080/',
  'http://127.9.9.9:8080/',
  'http://localhost:8080/',
];

test.each([...ownUrls, 'https://pictures.example/hook', 'http://inside:8080/hook'])(
  'a webhook to ourselves at %s is refused though listed',
  async (url) => {
    const allowHosts = ['127.0.0.1:8080', '[::1]:8080', 'localhost:8080', '127.0.0.0/8', 'inside:8080'];
    const own = () => ({ publicUrl: 'https://pictures.example', internalUrl: 'http://inside:8080', port: 8080 });
    await using egress = openTestEgress({ config: { allowHosts }, own });
    const refusal = await problemOf(() => egress.check(url, 'webhook'));
    expect(refusal.message).toBe('blocked_address: webhooks to this server itself are not sent');
  },
);

test('a webhook to a name that resolves to ourselves is refused though listed', async () => {
  const own = () => ({ publicUrl: '', internalUrl: '', port: 8080 });
  await using egress = openTestEgress({ config: { allowHosts: ['me.lan'] }, own, resolve: async () => ['127.0.0.1'] });
  const post = () => egress.post('http://me.lan:8080/hook', { headers: {}, body: Buffer.from('{}') });
  expect(await outcomeOf(post)).toBe('blocked_address');
});

const ownPages = ['/', '/v1/keys', '/v1/files/', '/v1/files/../keys', '/v1/files/a%2f..%2fkeys', '/v1/files/a/b'];
const ownFiles = ['/v1/files/ab12.jpg', '/media/images/ab12.png', '/processed_images/ab12.jpg', '/v1/files/a.jpg?x'];
const ownBases = ['http://localhost:8000', 'http://127.0.0.1:8000'];

test.each([
  ...ownBases.flatMap((base) => ownFiles.map((path) => [`${base}${path}`, 'ok'])),
  ...ownBases.flatMap((base) => ownPages.map((path) => [`${base}${path}`, 'blocked_address'])),
])('while PUBLIC_URL is unset, our own %s is %s', async (url, outcome) => {
  await using egress = openTestEgress({ own: () => ({ publicUrl: '', internalUrl: '', port: 8000 }) });
  expect(await outcomeOf(() => egress.check(url, 'source'))).toBe(outcome);
});

test.each([
  ['https://p.example/room/v1/files/ab12.jpg', 'ok'],
  ['https://p.example/room/v1/keys', 'blocked_address'],
  ['http://localhost:8000/v1/files/ab12.jpg', 'blocked_address'],
])('under PUBLIC_URL https://p.example/room the source %s is %s', async (url, outcome) => {
  await using egress = openTestEgress({
    own: () => ({ publicUrl: 'https://p.example/room', internalUrl: '', port: 8000 }),
  });
  expect(await outcomeOf(() => egress.check(url, 'source'))).toBe(outcome);
});
