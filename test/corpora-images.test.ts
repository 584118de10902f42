// corpora-images.test.ts — foreign JSON, forms, strings and pictures through D and E of a running process.
//
// Whatever comes, the answer is a 2xx or a 4xx in their dialect with a code of the catalogue, within ten seconds, and the
// process is still the same one afterwards. No worker runs: nothing here may ask a foreign host or decode.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { isCode } from '../src/problem.ts';
import { filesOfCorpus, hasCorpora, stringsOfCorpora } from './support/corpora.ts';
import { jobIntake, jobPath } from './support/jobs.ts';
import { openStandalone, type Standalone } from './support/standalone.ts';
import { resultPath, taskPath } from './support/tasks.ts';

let product: Standalone;
beforeAll(async () => {
  product = await openStandalone({ DARKROOM_LOG_LEVEL: 'error' }, ['serve', '--no-worker']);
});
afterAll(async () => {
  await product[Symbol.asyncDispose]();
});

const longestMs = 10_000;
const tasks = '/api/v1/tasks';
type Answer = { path: string; status: number; text: string };

async function ask(path: string, init: RequestInit = {}): Promise<Answer> {
  const answer = await fetch(product.url + path, { ...init, signal: AbortSignal.timeout(longestMs) });
  return { path, status: answer.status, text: await answer.text() };
}

const post = (path: string, type: string, body: string | Buffer) =>
  ask(path, { method: 'POST', body: Uint8Array.from(Buffer.from(body)), headers: { 'content-type': type } });
const postJson = (body: unknown) => post(jobIntake, 'application/json', JSON.stringify(body));

function postForm(bytes: Buffer, name: string, fields: Record<string, string>): Promise<Answer> {
  const form = new FormData();
  form.append('file', new File([Uint8Array.from(bytes)], name));
  for (const [field, text] of Object.entries(fields)) form.append(field, text);
  return ask(tasks, { method: 'POST', body: form });
}

/** What is wrong with an answer, in a sentence; undefined when it is as D and E promise. */
function complaint({ path, status, text }: Answer): string | undefined {
  if (status >= 200 && status < 300) return undefined;
  if (status < 400 || status >= 500) return `${path} ${status}: ${text}`;
  const { code, detail } = JSON.parse(text) as { code?: unknown; detail?: unknown };
  const isListed = Array.isArray(detail) ? detail.length > 0 && detail.every(isFault) : typeof detail === 'string';
  if (typeof code === 'string' && isCode(code) && isListed) return undefined;
  return `${path} not in its dialect: ${text.slice(0, 300)}`;
}

function isFault(fault: unknown): boolean {
  const { type, loc, msg } = Object(fault) as { type?: unknown; loc?: unknown; msg?: unknown };
  return /^[a-z_]+$/.test(String(type)) && Array.isArray(loc) && typeof msg === 'string' && msg !== '';
}

/** Sends all, eight at a time; gives the answers, or what broke instead. */
async function sendAll<Item>(items: Item[], send: (item: Item) => Promise<Answer>) {
  const answers: Answer[] = [];
  const broken: string[] = [];
  const left = [...items];
  const work = async () => {
    for (let item = left.pop(); item !== undefined; item = left.pop())
      await send(item).then(
        (answer) => answers.push(answer),
        (error: Error) => broken.push(`no answer: ${error.message}`),
      );
  };
  await Promise.all(Array.from({ length: 8 }, work));
  const wrong = answers.map(complaint).filter((each) => each !== undefined);
  return { answers, wrong: [...broken, ...wrong] };
}

async function expectSameProcess(): Promise<void> {
  expect((await ask('/readyz')).status).toBe(200);
  expect(() => process.kill(product.pid, 0)).not.toThrow();
  expect(product.output()).not.toContain('"level":60');
}

const url = 'http://pictures.invalid/a.jpg';

test.skipIf(!hasCorpora)('every foreign JSON is refused as a body, for its form or for what it lacks', async () => {
  const files = filesOfCorpus('json');
  expect(files.length).toBeGreaterThan(460);
  const { answers, wrong } = await sendAll(files, ({ bytes }) => post(jobIntake, 'application/json', bytes));
  expect(wrong).toEqual([]);
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([422]));
  await expectSameProcess();
});

test.skipIf(!hasCorpora)(
  'every foreign JSON that can be read is harmless as a URL and as transformations',
  async () => {
    const values = filesOfCorpus('json').flatMap(({ bytes }) => {
      try {
        return [{ value: JSON.parse(bytes.toString()) as unknown }];
      } catch {
        return [];
      }
    });
    expect(values.length).toBeGreaterThan(100);
    const asUrl = await sendAll(values, ({ value }) => postJson({ imageUrl: value }));
    const asList = await sendAll(values, ({ value }) => postJson({ imageUrl: url, transformations: value }));
    const asItem = await sendAll(values, ({ value }) => postJson({ imageUrl: url, transformations: ['png', value] }));
    expect([...asUrl.wrong, ...asList.wrong, ...asItem.wrong]).toEqual([]);
    await expectSameProcess();
  },
);

test.skipIf(!hasCorpora)('every foreign form gets an answer, under the boundary it was made with', async () => {
  const forms = filesOfCorpus('http/gofuzz-multipart');
  expect(forms.length).toBeGreaterThan(50);
  const boundaryOf = (bytes: Buffer) => /^-{2,}([^\s-][^\r\n]{0,60}?)\s*$/m.exec(bytes.toString('latin1'))?.[1] ?? 'x';
  const send = ({ bytes }: { bytes: Buffer }) => {
    const boundary = boundaryOf(bytes).replaceAll(/[^\w.'()+,/:=?-]/g, '') || 'x';
    return post(tasks, `multipart/form-data; boundary="${boundary}"`, bytes);
  };
  const { wrong } = await sendAll(forms, send);
  expect(wrong).toEqual([]);
  await expectSameProcess();
});

test.skipIf(!hasCorpora)(
  'every foreign string is harmless in each field, as a name and as an id',
  { timeout: 180_000 },
  async () => {
    const all = stringsOfCorpora(20);
    expect(all.length).toBeGreaterThan(700);
    const picture = Buffer.from('P5\n1 1\n255\n0');
    const sends: ((text: string) => Promise<Answer>)[] = [
      (text) => postJson({ imageUrl: text, transformations: [text] }),
      (text) => postJson({ imageUrl: `http://pictures.invalid/${text}`, [text]: text }),
      (text) => postForm(picture, text, { width: '8', [text]: text }),
      (text) => postForm(picture, 'a.pgm', { width: text, height: text, preserve_ratio: text }),
      (text) => ask(jobPath(encodeURIComponent(text.toWellFormed()))),
      (text) => ask(taskPath(encodeURIComponent(text.toWellFormed()))),
      (text) => ask(`${resultPath(encodeURIComponent(text.toWellFormed()))}?format=raw`),
      (text) => ask(`/app/processed_images/${encodeURIComponent(text.toWellFormed())}.png`),
    ];
    // Each string goes one way, and each way is gone by an eighth of them.
    const jobs = all.map((text, at) => ({ text, send: sends[at % sends.length]! }));
    expect((await sendAll(jobs, ({ text, send }) => send(text))).wrong).toEqual([]);
    await expectSameProcess();
  },
);

test.skipIf(!hasCorpora)('every foreign picture is taken or refused by its first bytes', async () => {
  const folders = [
    'images/upload-images-patt',
    'images/svg-xss-patt',
    'images/sharp-fixtures',
    'images/imagesize-fixtures',
  ];
  const files = folders.flatMap(filesOfCorpus);
  const { answers, wrong } = await sendAll(files, ({ name, bytes }) => postForm(bytes, name, { width: '8' }));
  expect(wrong).toEqual([]);
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202, 415]));
  await expectSameProcess();
});
