// corpora-http.test.ts — foreign catalogs and strings through B, C and /v1 of a running process.
//
// Whatever comes, the answer is a 2xx or a 4xx in the dialect of its path with a code of the catalogue, within ten
// seconds, and the process is still the same one afterwards. No worker runs: nothing here may ask a foreign host.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { isCode } from '../src/problem.ts';
import { filesOfCorpus, hasCorpora, stringsOfCorpora } from './support/corpora.ts';
import { openStandalone, type Standalone } from './support/standalone.ts';

let product: Standalone;
beforeAll(async () => {
  product = await openStandalone({ DARKROOM_LOG_LEVEL: 'error' }, ['serve', '--no-worker']);
});
afterAll(async () => {
  await product[Symbol.asyncDispose]();
});

const longestMs = 10_000;
const intakes = ['/image_process/upload/', '/upload', '/v1/batches'] as const;
type Intake = (typeof intakes)[number];
type Answer = { status: number; type: string; text: string };

async function ask(path: string, init: RequestInit = {}): Promise<Answer> {
  const answer = await fetch(product.url + path, { ...init, signal: AbortSignal.timeout(longestMs) });
  return { status: answer.status, type: answer.headers.get('content-type') ?? '', text: await answer.text() };
}

const post = (path: string, type: string, body: string | Buffer) =>
  ask(path, { method: 'POST', body: Uint8Array.from(Buffer.from(body)), headers: { 'content-type': type } });

/** A form written by hand: a client library would escape the very names that are to be tried. */
function form(parts: { field: string; file?: string; content: string | Buffer }[]): { type: string; body: Buffer } {
  const blocks = parts.flatMap(({ field, file, content }) => [
    `--limit\r\ncontent-disposition: form-data; name="${field}"${file === undefined ? '' : `; filename="${file}"`}\r\n\r\n`,
    content,
    '\r\n',
  ]);
  const body = Buffer.concat([...blocks, '--limit--\r\n'].map((block) => Buffer.from(block)));
  return { type: 'multipart/form-data; boundary=limit', body };
}

const sendForm = (path: Intake, parts: Parameters<typeof form>[0]) => {
  const { type, body } = form(parts);
  return post(path, type, body);
};

/** What is wrong with an answer, in a sentence; undefined when it is as its dialect promises. */
function complaint(path: string, { status, type, text }: Answer): string | undefined {
  if (status >= 200 && status < 300) return undefined;
  if (status < 400 || status >= 500) return `status ${status}: ${text}`;
  const body = JSON.parse(text) as Record<string, unknown>;
  if (typeof body.code !== 'string' || !isCode(body.code)) return `no code: ${text}`;
  if (path.startsWith('/v1')) return type.startsWith('application/problem+json') ? undefined : `type ${type}`;
  const sentence = path.startsWith('/image_process') ? body.error : body.detail;
  return sentence === undefined || (path.startsWith('/image_process') && typeof sentence !== 'string')
    ? `not in its dialect: ${text}`
    : undefined;
}

type Job<Item> = { item: Item; path: string };

const atEach = <Item>(items: Item[], paths: readonly string[]): Job<Item>[] =>
  items.flatMap((item) => paths.map((path) => ({ item, path })));
/** For what is taken and written down, which takes its time: each item at one of the paths. */
const inTurn = <Item>(items: Item[], paths: readonly string[]): Job<Item>[] =>
  items.map((item, at) => ({ item, path: paths[at % paths.length] ?? '' }));

/** Does the jobs eight at a time and gathers what was wrong. */
async function complaints<Item>(jobs: Job<Item>[], send: (path: string, item: Item) => Promise<Answer>) {
  const found: string[] = [];
  const left = [...jobs];
  const work = async () => {
    for (let job = left.pop(); job; job = left.pop()) {
      const { item, path } = job;
      const wrong = await send(path, item).then(
        (answer) => complaint(path, answer),
        (error: Error) => `no answer: ${error.message}`,
      );
      if (wrong) found.push(`${path} ${JSON.stringify(item).slice(0, 200)}: ${wrong.slice(0, 300)}`);
    }
  };
  await Promise.all(Array.from({ length: 8 }, work));
  return found;
}

async function expectSameProcess(): Promise<void> {
  expect((await ask('/readyz')).status).toBe(200);
  expect(() => process.kill(product.pid, 0)).not.toThrow();
  expect(product.output()).not.toContain('"level":60');
}

const good = 'S. No.,Product Name,Input Image Urls\n1,A,http://pictures.invalid/a.jpg\n';
const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;

test.skipIf(!hasCorpora)('every foreign CSV is taken or refused with a code, as a form, bare and as JSON', async () => {
  const files = filesOfCorpus('csv');
  expect(files.length).toBeGreaterThan(140);
  const asForm = (path: string, { name, bytes }: (typeof files)[number]) =>
    sendForm(path as Intake, [{ field: 'file', file: name, content: bytes }]);
  const bare = (path: string, { bytes }: (typeof files)[number]) => post(path, 'text/csv', bytes);
  const asJson = (path: string, { bytes }: (typeof files)[number]) =>
    post(path, 'application/json', JSON.stringify({ file: bytes.toString() }));
  for (const send of [asForm, bare, asJson]) expect(await complaints(atEach(files, intakes), send)).toEqual([]);
  expect(await complaints(atEach(files, ['/v1/uploads']), asForm)).toEqual([]);
  await expectSameProcess();
});

test.skipIf(!hasCorpora)('every foreign string is a cell, a whole catalog, and comes back as it was', async () => {
  const all = stringsOfCorpora(8);
  expect(all.length).toBeGreaterThan(1000);
  const bundles = Array.from({ length: Math.ceil(all.length / 100) }, (_, at) => all.slice(at * 100, at * 100 + 100));
  const catalogOf = (bundle: string[]) =>
    'S. No.,Product Name,Input Image Urls\n' +
    bundle.map((text) => `${quoted(text)},${quoted(text)},${quoted(`https://${text}`)}`).join('\n');
  const bare = (path: string, content: string) => post(path, 'text/csv', content);
  expect(await complaints(atEach(bundles.map(catalogOf), intakes), bare)).toEqual([]);
  expect(await complaints(atEach(all, intakes), bare)).toEqual([]);

  const { text } = await post(
    '/upload',
    'text/csv',
    catalogOf(['=1+1', '-5', '<script>alert(1)</script>', 'ÅÍÎÏ˝ÓÔ', '{{7*7}}']),
  );
  const download = await ask(`/download/${(JSON.parse(text) as { request_id: string }).request_id}?partial=1`);
  for (const cell of ['\r\n=1+1,=1+1,', '\r\n-5,-5,', '<script>alert(1)</script>', 'ÅÍÎÏ˝ÓÔ', '{{7*7}}'])
    expect(download.text).toContain(cell);
  await expectSameProcess();
});

test.skipIf(!hasCorpora)('every foreign string is harmless as a file name, a webhook, a name and a query', async () => {
  const all = stringsOfCorpora(8);
  const fileName = (path: string, text: string) =>
    sendForm(path as Intake, [{ field: 'file', file: text, content: good }]);
  const webhook = (path: string, text: string) =>
    sendForm(path as Intake, [
      { field: 'file', content: good },
      { field: 'webhook_url', content: text },
    ]);
  const url = 'http://pictures.invalid/a.jpg';
  const named = (path: string, text: string) =>
    post(
      path,
      'application/json',
      JSON.stringify({ name: text, webhook_url: text, images: [{ source: { url }, ref: text }] }),
    );
  const asked = (path: string, text: string) => ask(`${path}${encodeURIComponent(text.toWellFormed())}`);
  expect(await complaints(inTurn(all, [...intakes, '/v1/uploads']), fileName)).toEqual([]);
  expect(await complaints(inTurn(all, intakes), webhook)).toEqual([]);
  expect(await complaints(inTurn(all, ['/v1/batches', '/v1/pipelines/check']), named)).toEqual([]);
  expect(await complaints(atEach(all, ['/v1/batches?q=']), asked)).toEqual([]);
  const found = ['/v1/images?source_url=', '/v1/images?name=', '/v1/images?product_name=', '/v1/images?cursor='];
  // Each of these may look through every image that was made above.
  const some = all.filter((_, at) => at % 20 === 0);
  expect(await complaints(inTurn(some, found), asked)).toEqual([]);
  const others = [
    '/v1/batches?cursor=',
    '/v1/batches/',
    '/status/',
    '/image_process/status/',
    '/v1/files/',
    '/v1/images/',
  ];
  expect(await complaints(inTurn(all, others), asked)).toEqual([]);
  await expectSameProcess();
});
