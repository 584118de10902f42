// Which addresses are public: every range by its first and last address and their neighbours outside.

import { expect, test } from 'vitest';
import { isMetadata, isNeverOpened, isPublic } from '../src/egress/addresses.ts';

// range: first, last; then the neighbours before and after and whether those are public.
const ranges: [range: string, first: string, last: string, before: [string, boolean], after: [string, boolean]][] = [
  ['0/8', '0.0.0.0', '0.255.255.255', ['255.255.255.255', false], ['1.0.0.0', true]],
  ['10/8', '10.0.0.0', '10.255.255.255', ['9.255.255.255', true], ['11.0.0.0', true]],
  ['100.64/10', '100.64.0.0', '100.127.255.255', ['100.63.255.255', true], ['100.128.0.0', true]],
  ['127/8', '127.0.0.0', '127.255.255.255', ['126.255.255.255', true], ['128.0.0.0', true]],
  ['168.63.129.16', '168.63.129.16', '168.63.129.16', ['168.63.129.15', true], ['168.63.129.17', true]],
  ['169.254/16', '169.254.0.0', '169.254.255.255', ['169.253.255.255', true], ['169.255.0.0', true]],
  ['172.16/12', '172.16.0.0', '172.31.255.255', ['172.15.255.255', true], ['172.32.0.0', true]],
  ['192.0.0/24', '192.0.0.0', '192.0.0.255', ['191.255.255.255', true], ['192.0.1.0', true]],
  ['192.0.2/24', '192.0.2.0', '192.0.2.255', ['192.0.1.255', true], ['192.0.3.0', true]],
  ['192.31.196/24', '192.31.196.0', '192.31.196.255', ['192.31.195.255', true], ['192.31.197.0', true]],
  ['192.52.193/24', '192.52.193.0', '192.52.193.255', ['192.52.192.255', true], ['192.52.194.0', true]],
  ['192.88.99/24', '192.88.99.0', '192.88.99.255', ['192.88.98.255', true], ['192.88.100.0', true]],
  ['192.168/16', '192.168.0.0', '192.168.255.255', ['192.167.255.255', true], ['192.169.0.0', true]],
  ['192.175.48/24', '192.175.48.0', '192.175.48.255', ['192.175.47.255', true], ['192.175.49.0', true]],
  ['198.18/15', '198.18.0.0', '198.19.255.255', ['198.17.255.255', true], ['198.20.0.0', true]],
  ['198.51.100/24', '198.51.100.0', '198.51.100.255', ['198.51.99.255', true], ['198.51.101.0', true]],
  ['203.0.113/24', '203.0.113.0', '203.0.113.255', ['203.0.112.255', true], ['203.0.114.0', true]],
  ['224/4', '224.0.0.0', '239.255.255.255', ['223.255.255.255', true], ['240.0.0.0', false]],
  ['240/4', '240.0.0.0', '255.255.255.255', ['239.255.255.255', false], ['0.0.0.0', false]],
  ['below 2000::/3', '::', '1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', ['::1', false], ['2000::', true]],
  [
    'above 2000::/3',
    '4000::',
    'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
    ['3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', true],
    ['::', false],
  ],
  [
    '2001::/23',
    '2001::',
    '2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff',
    ['2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff', true],
    ['2001:200::', true],
  ],
  [
    '2001:db8::/32',
    '2001:db8::',
    '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff',
    ['2001:db7:ffff:ffff:ffff:ffff:ffff:ffff', true],
    ['2001:db9::', true],
  ],
  [
    '2002::/16',
    '2002::',
    '2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
    ['2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff', true],
    ['2003::', true],
  ],
  [
    '2620:4f:8000::/48',
    '2620:4f:8000::',
    '2620:4f:8000:ffff:ffff:ffff:ffff:ffff',
    ['2620:4f:7fff:ffff:ffff:ffff:ffff:ffff', true],
    ['2620:4f:8001::', true],
  ],
  [
    '3fff::/20',
    '3fff::',
    '3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff',
    ['3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff', true],
    ['3fff:1000::', true],
  ],
];

test.each(ranges)('%s is not public from its first to its last address', (_range, first, last, before, after) => {
  expect(isPublic(first)).toBe(false);
  expect(isPublic(last)).toBe(false);
  expect([before[0], isPublic(before[0])]).toEqual(before);
  expect([after[0], isPublic(after[0])]).toEqual(after);
});

const disguised = [
  '::7f00:1',
  '::ffff:127.0.0.1',
  '::ffff:93.184.216.34',
  '64:ff9b::7f00:1',
  '64:ff9b:1::7f00:1',
  'fc00::1',
  'fd00:ec2::254',
  'fe80::1',
  'fec0::1',
  'ff02::1',
  '100::1',
  '2606:4700::1%eth0',
  'fe80::1%lo',
];

test.each(disguised)('%s is not public', (address) => expect(isPublic(address)).toBe(false));

test.each(['', 'localhost', '1.1.1', '0x01010101', '01.1.1.1', '1.1.1.1 ', '[2606:4700::1]', '1.1.1.1:80'])(
  '"%s" is no plain address and therefore not public',
  (text) => expect(isPublic(text)).toBe(false),
);

test('an ISATAP address is as public as the IPv4 address inside', () => {
  expect(isPublic('2606:4700::5efe:127.0.0.1')).toBe(false);
  expect(isPublic('2606:4700::200:5efe:10.0.0.1')).toBe(false);
  expect(isPublic('2606:4700::5efe:93.184.216.34')).toBe(true);
  expect(isPublic('2606:4700::5eff:127.0.0.1')).toBe(true);
});

test('some addresses can never be opened, in no spelling', () => {
  const never = ['0.0.0.0', '::', '::ffff:0.0.0.0', '224.0.0.1', '239.255.255.255', 'ff02::1', '255.255.255.255'];
  const others = ['127.0.0.1', '10.0.0.1', '223.255.255.255', '255.255.255.254', '::1', 'fe80::1'];
  expect([...never, ...others].filter(isNeverOpened)).toEqual(never);
});

test('metadata hosts are known in mapped form, too', () => {
  const hosts = ['169.254.169.254', '168.63.129.16', '100.100.100.200', '192.0.0.192', 'fd00:ec2::254'];
  const spelled = [...hosts, '::ffff:169.254.169.254', 'fd00:0ec2:0:0::254'];
  expect([...spelled, '169.254.169.253', 'fd00:ec2::255'].filter(isMetadata)).toEqual(spelled);
});
