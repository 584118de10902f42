// Names: the hosts file is read as the system reads it, and comes before any name server.

import { expect, test } from 'vitest';
import { openResolver, readHosts } from '../src/egress/resolve.ts';

test('lines of the hosts file give every name its addresses', () => {
  const names = readHosts(
    [
      '# a remark',
      '127.0.0.1\tlocalhost Build.Local # another',
      '  ::1   localhost ip6-loopback',
      'fe80::1%lo0 localhost',
      'not-an-address name',
      '10.0.0.7 cdn.lan\r',
      '',
    ].join('\n'),
  );
  expect(Object.fromEntries(names)).toEqual({
    localhost: ['127.0.0.1', '::1'],
    'build.local': ['127.0.0.1'],
    'ip6-loopback': ['::1'],
    'cdn.lan': ['10.0.0.7'],
  });
});

test('a name of the hosts file is not asked for elsewhere', async () => {
  const addresses = await openResolver()('LOCALHOST');
  expect(addresses).toContain('127.0.0.1');
});
