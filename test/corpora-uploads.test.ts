// corpora-uploads.test.ts — foreign pictures, forms and names through the uploads of a running process.
//
// Whatever comes, the answer is a 2xx or a 4xx in the dialect of design A with a code of the catalogue, within ten seconds,
// and the process is still the same one afterwards. No worker runs: nothing is decoded here, and nobody waits for it.

import { globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isCode } from '../src/problem.ts';
import { corpusFile, hasCorpora } from './support/corpora.ts';
import { openStandalone, type Standalone } from './support/standalone.ts';
import { photoOf } from './support/upload-pictures.ts';

let product: Standalone;
beforeAll(async () => {
  product = await openStandalone({ DARKROOM_LOG_LEVEL: 'error' }, ['serve', '--no-worker']);
});
afterAll(async () => {
  await product[Symbol.asyncDispose]();
});

const longestMs = 10_000;
const paths = ['/api/async/upload', '/api/async/batch/upload', '/api/upload'];
type Answer = { path: string; status: number; text: string };
type Item = { name: string; size: number; status: string; code: string | null };

async function post(path: string, body: FormData | Buffer, headers: Record<string, string> = {}): Promise<Answer> {
  const answer = await fetch(product.url + path, {
    method: 'POST',
    body: Buffer.isBuffer(body) ? Uint8Array.from(body) : body,
    headers: { prefer: 'wait=0', ...headers },
    signal: AbortSignal.timeout(longestMs),
  });
  return { path, status: answer.status, text: await answer.text() };
}

/** What is wrong with an answer, in a sentence; undefined when it is as design A promises. */
function complaint({ path, status, text }: Answer): string | undefined {
  if (status >= 200 && status < 300) return undefined;
  if (status < 400 || status >= 500) return `${path} ${status}: ${text}`;
  const { error, code } = JSON.parse(text) as { error?: unknown; code?: unknown };
  if (typeof error === 'string' && typeof code === 'string' && isCode(code)) return undefined;
  return `${path} not in its dialect: ${text.slice(0, 300)}`;
}

async function expectSameProcess(): Promise<void> {
  expect((await fetch(`${product.url}/readyz`)).status).toBe(200);
  expect(() => process.kill(product.pid, 0)).not.toThrow();
  expect(product.output()).not.toMatch(/"level":[56]0/);
}

const bundlesOf = <Each>(all: Each[], size: number): Each[][] =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, at) => all.slice(at * size, at * size + size));

test.skipIf(!hasCorpora)(
  'every third foreign picture has its place in the answer: it waits, or is an error',
  async () => {
    const pictures = globSync(`${corpusFile('images')}/*/**`, { withFileTypes: true })
      .filter((each, at) => at % 3 === 0 && each.isFile())
      .map(({ name, parentPath }) => ({ name, bytes: readFileSync(`${parentPath}/${name}`) }));
    expect(pictures.length).toBeGreaterThan(800);
    const codes = new Set<string | null>();
    for (const bundle of bundlesOf(pictures, 100)) {
      const form = new FormData();
      for (const { name, bytes } of bundle) form.append('images', new File([Uint8Array.from(bytes)], name));
      const { status, text } = await post('/api/async/upload', form);
      expect([status, status === 200 || text]).toEqual([200, true]);
      const { images } = JSON.parse(text) as { images: Item[] };
      expect(images.map(({ name, size }) => ({ name, size }))).toEqual(
        bundle.map(({ name, bytes }) => ({ name: basename(name), size: bytes.length })),
      );
      expect(images.filter(({ status: word, code }) => (code === null) !== (word === 'pending'))).toEqual([]);
      for (const { code } of images) codes.add(code);
    }
    expect(codes).toEqual(new Set([null, 'not_an_image', 'unsupported_format']));
    await expectSameProcess();
  },
);

test.skipIf(!hasCorpora)(
  'every foreign form is taken or refused, also when its parts claim to be pictures',
  async () => {
    const forms = globSync(`${corpusFile('http/gofuzz-multipart')}/*`).map((path) => readFileSync(path));
    expect(forms).toHaveLength(295);
    const wrong: string[] = [];
    for (const path of paths)
      for (const bytes of forms) {
        const text = bytes.toString('latin1');
        const boundary = /^--([^\r\n]{1,70})/.exec(text)?.[1]?.replaceAll(/["\\]|[^\x20-\x7e]/g, '') ?? 'x';
        const field = path === '/api/upload' ? 'image' : 'images';
        const claimed = Buffer.from(text.replaceAll(/name="?[\w-]*"?/g, `name="${field}"`), 'latin1');
        const found = complaint(
          await post(path, claimed, { 'content-type': `multipart/form-data; boundary="${boundary}"` }),
        );
        if (found) wrong.push(found);
      }
    expect(wrong).toEqual([]);
    await expectSameProcess();
  },
);

test.skipIf(!hasCorpora)('every foreign string is harmless as the name of a picture, and shown as text', async () => {
  const strings = JSON.parse(readFileSync(corpusFile('strings/blns/blns.json'), 'utf8')) as string[];
  expect(strings.length).toBeGreaterThan(200);
  const photo = Buffer.from(await photoOf(64, 48));
  const wrong: string[] = [];
  // What breaks its header takes the rest of its form with it, so it goes alone.
  const breaks = (name: string) => /["\r\n]/.test(name);
  const alone = strings.filter(breaks).map((name) => [name]);
  for (const bundle of [
    ...alone,
    ...bundlesOf(
      strings.filter((name) => !breaks(name)),
      20,
    ),
  ]) {
    // Written by hand: a client library would escape the very names that are to be tried.
    const parts = bundle.flatMap((name) => [
      Buffer.from(`--x\r\ncontent-disposition: form-data; name="images"; filename="${name}"\r\n\r\n`),
      photo,
      Buffer.from('\r\n'),
    ]);
    const body = Buffer.concat([...parts, Buffer.from('--x--\r\n')]);
    const found = complaint(
      await post('/api/async/batch/upload', body, { 'content-type': 'multipart/form-data; boundary=x' }),
    );
    if (found) wrong.push(found);
  }
  expect(wrong).toEqual([]);
  const rows = (await (await fetch(`${product.url}/api/list?status=pending`)).json()) as Item[];
  const names = rows.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(['script>', 'undefined', 'NULL', '1.00']));
  expect(names.filter((name) => name === '' || name.length > 255 || /[/\\]|\p{Cc}/u.test(name))).toEqual([]);
  await expectSameProcess();
});
