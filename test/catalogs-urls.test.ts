// URLs in a cell: where they part and which can be fetched (contracts.md §8.7 and §8.8).

import { expect, test } from 'vitest';
import { judgeUrl, separatorOf, splitUrls } from '../src/catalogs/urls.ts';

test.each([
  ['https://a/1,https://b/2', ['https://a/1', 'https://b/2']],
  ['https://a/1 ; https://b/2 | https://c/3', ['https://a/1', 'https://b/2', 'https://c/3']],
  ['https://a/1\r\nhttps://b/2\nwww.c.com/3\r//d.com/4', ['https://a/1', 'https://b/2', 'www.c.com/3', '//d.com/4']],
  ['https://a/1  http://b/2\thttps://c/3', ['https://a/1', 'http://b/2', 'https://c/3']],
  ['HTTPS://A/1,WWW.B.COM/2', ['HTTPS://A/1', 'WWW.B.COM/2']],
  ['https://a/w_1,h_2/x.jpg;v=1|2', ['https://a/w_1,h_2/x.jpg;v=1|2']],
  ['https://a/?next=https://b/', ['https://a/?next=https://b/']],
  ['https://a//b,c//d', ['https://a//b,c//d']],
  ['https://www.a.com/www.b', ['https://www.a.com/www.b']],
  ['https://a/1,ftp://b/2,1x://c', ['https://a/1', 'ftp://b/2,1x://c']],
  ['https://a/my picture.jpg www.b.com', ['https://a/my picture.jpg www.b.com']],
  ['https://a/1,,, ,https://a/1,', ['https://a/1', 'https://a/1']],
  [' , ; | \n ', []],
  ['', []],
  ['foo', ['foo']],
])('splits %j', (cell, urls) => {
  expect(splitUrls(cell)).toEqual(urls);
});

test.each([
  ['https://a/1, https://b/2,https://c/3', ', '],
  ['https://a/1 | https://b/2', ' | '],
  ['https://a/1\r\nhttps://b/2', '\r\n'],
  ['https://a/1;https://b/2,https://c/3', ';'],
  ['https://a/1,, https://b/2', ','],
  ['https://a/1  https://b/2', ','],
  ['https://a/1,', ','],
  ['', ','],
])('finds what parts %j', (cell, separator) => {
  expect(separatorOf(cell)).toBe(separator);
});

test.each([
  ['https://a/1.jpg', 'https://a/1.jpg'],
  ['//h/x', 'https://h/x'],
  ['www.h/x', 'https://www.h/x'],
  ['HTTP://h:8080/x?y#z', 'HTTP://h:8080/x?y#z'],
  ['https://h/my new picture.jpg', 'https://h/my%20new%20picture.jpg'],
  ['https://h/a.jpg\u00a0', 'https://h/a.jpg'],
  ['https://bücher.example/ü.jpg', 'https://bücher.example/ü.jpg'],
  ['http://localhost/x', 'http://localhost/x'],
])('will fetch %j as %s', (text, url) => {
  expect(judgeUrl(text)).toBe(url);
});

test.each([
  'foo',
  'htp://x/1.jpg',
  'ftp://x/1.jpg',
  'data:image/png;base64,AAAA',
  'https://',
  'https:///x',
  'http:/x',
  'http:x',
  'https://u:p@h/x',
  'https://u@h/x',
  'https://h\\@evil/x',
  'https:\\\\h\\x',
  'https://h/a\tb',
  'https://h/a\nb',
  'https://h/a\u0007b',
  'https://h/a\u007fb',
  'https://[::1/x',
  'https://h:99999/x',
  'https://256.256.256.256/x',
  `https://h/${'a'.repeat(2048)}`,
  '//',
])('can never fetch %j', (text) => {
  expect(judgeUrl(text)).toBeUndefined();
});
