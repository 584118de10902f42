// ws /ws/upload: the transcript of design A, key by key; who may open a socket; how it goes on where it was cut.

import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newId } from '../../src/batches/ids.ts';
import { corpusFile, hasCorpora } from '../support/corpora.ts';
import { onEachDatabase } from '../support/databases.ts';
import { openTalk, type Talk } from '../support/follow.ts';
import { sendRaw } from '../support/raw.ts';
import { openServed, type Served } from '../support/served.ts';

const path = expect.stringMatching(/^\/media\/images\/[a-z2-7]{26}\.jpg$/);
const number = expect.stringMatching(/^\d+$/);
const greeting = { message: 'You are connected!', status: 'ok' };
const ends = new Set(['completed', 'error', 'aborted']);

/** A handshake by hand: no client sends what is tried here. */
function handshake(url: string, target: string, headers: Record<string, string> = {}): string {
  const key = randomBytes(16).toString('base64');
  const lines = Object.entries({
    host: new URL(url).host,
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': key,
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${target} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

onEachDatabase((engine) => {
  let served: Served;
  let picture: Buffer;
  beforeAll(async () => {
    served = await openServed(engine, { env: { DARKROOM_ALLOW_ORIGINS: 'https://shop.example' } });
    picture = Buffer.from(await (await fetch(`http://${served.pictures.host}/a.jpg`)).arrayBuffer());
  });
  afterAll(() => served[Symbol.asyncDispose]());

  const talk = (query = '', headers?: Record<string, string>) => openTalk(`${served.url}/ws/upload/${query}`, headers);
  const upload = async (...files: [name: string, bytes: Buffer | string][]) => {
    const body = new FormData();
    for (const [name, bytes] of files) body.append('images', new File([Uint8Array.from(Buffer.from(bytes))], name));
    const reply = await served.ask('/api/async/upload', { method: 'POST', body });
    expect(reply.status).toBe(200);
    return reply.json as { batch_id: string; images: { id: string; name: string; size: number }[] };
  };
  const ofBatch = (heard: Talk['heard'], batchId: string) => heard.filter((each) => each.batch_id === batchId);
  const endsOf = (heard: Talk['heard'], batchId: string) =>
    ofBatch(heard, batchId).filter((each) => ends.has(each.status));
  const hasEnded = (batchId: string, count: number) => (heard: Talk['heard']) => endsOf(heard, batchId).length >= count;

  test('the transcript of two uploads, key by key', async () => {
    const socket = await talk();
    socket.say('{"message":"hello"}');
    await socket.until((heard) => heard.length >= 2);
    const { batch_id, images } = await upload(['IMG_3284.jpg', picture], ['IMG_4841.jpg', picture]);
    await socket.until(hasEnded(batch_id, 2));
    for (const text of ['{not json', '{"a":1}', '[]', 'null']) socket.say(text);
    await socket.until((heard) => heard.filter(({ error }) => error).length >= 4);
    socket.cut();
    expect(socket.heard.slice(0, 2)).toEqual([greeting, { message: 'hello' }]);
    for (const { id, name, size } of images) {
      const about = { type: 'send_upload_notification', job_id: id, name, size, batch_id, event_id: number };
      expect(socket.heard.filter(({ job_id }) => job_id === id)).toEqual([
        { ...about, status: 'processing', message: `Image ${name} processing.` },
        {
          ...about,
          status: 'completed',
          image: path,
          upload_time: expect.stringMatching(/^\d+\.\d seconds$/),
          message: `Image ${name} uploaded successfully.`,
        },
      ]);
    }
    const expected = { error: 'Expected a message' };
    expect(socket.heard.slice(-4)).toEqual([{ error: 'Invalid JSON' }, expected, expected, expected]);
    const [completed] = endsOf(socket.heard, batch_id);
    expect((await served.ask(completed.image)).status).toBe(200);
  });

  test('an upload that is no picture is told as an error with its code, and pictures by URL are not told', async () => {
    const socket = await talk();
    const image = { source: { url: `http://${served.pictures.host}/a.jpg` } };
    const body = JSON.stringify({ images: [image] });
    const headers = { 'content-type': 'application/json' };
    const { json: byUrl } = await served.ask('/v1/batches?wait=30', { method: 'POST', body, headers });
    const { batch_id } = await upload(
      ['good.jpg', picture],
      ['text.jpg', 'no picture'],
      ['cut.jpg', picture.subarray(0, 999)],
    );
    await socket.until(hasEnded(batch_id, 3));
    socket.cut();
    const told = Object.fromEntries(endsOf(socket.heard, batch_id).map((each) => [each.name, each]));
    expect(told['good.jpg'].status).toBe('completed');
    expect(told['text.jpg']).toMatchObject({ status: 'error', code: 'not_an_image', message: 'Image text.jpg error.' });
    expect(told['cut.jpg']).toMatchObject({ status: 'error', code: 'corrupt_image' });
    expect(Object.keys(told['text.jpg'])).not.toContain('image');
    expect(ofBatch(socket.heard, byUrl.id)).toEqual([]);
  });

  test('job_id and batch_id narrow what is told; what is not there is 404 before the handshake', async () => {
    const all = await talk();
    const { batch_id, images } = await upload(['a.jpg', picture], ['b.jpg', picture]);
    await all.until(hasEnded(batch_id, 2));
    const other = await upload(['c.jpg', picture]);
    await all.until(hasEnded(other.batch_id, 1));
    all.cut();
    const byJob = await talk(`?job_id=${images[1]!.id}&since=0`);
    const byBatch = await talk(`?batch_id=${other.batch_id}&since=0`);
    await byJob.until(hasEnded(batch_id, 1));
    await byBatch.until(hasEnded(other.batch_id, 1));
    expect(new Set(byJob.heard.slice(1).map(({ job_id }) => job_id))).toEqual(new Set([images[1]!.id]));
    expect(new Set(byBatch.heard.slice(1).map((each) => each.batch_id))).toEqual(new Set([other.batch_id]));
    byJob.cut();
    byBatch.cut();
    for (const [query, status] of [
      [`?batch_id=${newId()}`, 404],
      [`?job_id=${newId()}`, 404],
      ['?job_id=1', 404],
      ['?since=x', 400],
      ['?since=1&since=2', 400],
    ] as const)
      expect((await sendRaw(served.url, handshake(served.url, `/ws/upload/${query}`))).status, query).toBe(status);
  });

  test('A14: cut in mid-batch and back with since, over a restart too, one end per image', async () => {
    const first = await talk();
    await upload(['before.jpg', picture]);
    await first.until((heard) => heard.some(({ status }) => status === 'completed'));
    const { batch_id, images } = await upload(
      ...Array.from({ length: 12 }, (_, n): [string, Buffer] => [`${n}.jpg`, picture]),
    );
    first.cut();
    await first.closed;
    const since = first.heard.at(-1).event_id;
    const second = await talk(`?since=${since}`);
    await second.until(hasEnded(batch_id, 1));
    await served.restart();
    expect(await second.closed).toBe(1001);
    const third = await talk(`?since=${second.heard.at(-1).event_id}`);
    const heard = () => [...first.heard, ...second.heard, ...third.heard];
    await third.until(() => hasEnded(batch_id, 12)(heard()));
    third.cut();
    expect(
      endsOf(heard(), batch_id)
        .map(({ job_id }) => String(job_id))
        .toSorted(),
    ).toEqual(images.map(({ id }) => id).toSorted());
    expect(new Set(endsOf(heard(), batch_id).map(({ status }) => status))).toEqual(new Set(['completed']));
  });

  test('an event that is not known any more is answered by a reset', async () => {
    const socket = await talk('?since=999999999999');
    await socket.until((heard) => heard.length >= 2);
    expect(socket.heard).toEqual([greeting, { type: 'reset' }]);
    socket.cut();
  });

  test('a foreign origin and null are refused at the handshake; our own, a listed one and none pass', async () => {
    const own = new URL(served.url).origin;
    for (const origin of ['https://evil.test', 'null', 'http://127.0.0.1:1'])
      expect((await sendRaw(served.url, handshake(served.url, '/ws/upload/', { origin }))).status).toBe(403);
    for (const origin of [own, 'https://shop.example', 'http://localhost:5173']) {
      const socket = await talk('', { origin });
      await socket.until((heard) => heard.length === 1);
      socket.cut();
    }
    const bare = await openTalk(`${served.url}/ws/upload`);
    await bare.until((heard) => heard.length === 1);
    bare.cut();
  });

  test('a connection whose handshake was refused is closed, whoever refused it', async () => {
    const ms = 20_000;
    const refused = async (target: string, headers = {}) => {
      const answer = await sendRaw(served.url, handshake(served.url, target, headers), { end: false, ms });
      expect(answer.ms).toBeLessThan(ms);
      return answer.status;
    };
    const all = [
      refused('/ws/upload', { origin: 'null' }),
      refused('/ws/upload?since=x'),
      refused('/ws/nothing'),
      refused('/ws/%zz'),
      refused('/ws/upload', { 'sec-websocket-version': '7' }),
    ];
    expect(await Promise.all(all)).toEqual([403, 400, 404, 404, 400]);
  });

  test('with keys a socket needs a key or a ticket, and a ticket opens one', async () => {
    const DARKROOM_API_KEY = `drk_abcdefgh_${'k'.repeat(43)}`;
    const keyed = await openServed(engine, { env: { DARKROOM_API_KEY }, work: false });
    try {
      const authorization = `Bearer ${DARKROOM_API_KEY}`;
      const status = async (query: string, headers = {}) =>
        (await sendRaw(keyed.url, handshake(keyed.url, `/ws/upload/${query}`, headers), { end: false, ms: 500 }))
          .status;
      const { json } = await keyed.ask('/v1/tickets', { method: 'POST', headers: { authorization } });
      expect(await status('')).toBe(401);
      expect(await status(`?token=${DARKROOM_API_KEY}`)).toBe(401);
      expect(await status(`?token=${json.token}`)).toBe(101);
      expect(await status(`?token=${json.token}`)).toBe(401);
      expect(await status('', { authorization })).toBe(101);

      const headers = { authorization, 'content-type': 'application/json' };
      const body = JSON.stringify({ name: 'page', scope: 'read' });
      const { json: made } = await keyed.ask('/v1/admin/keys', { method: 'POST', headers, body });
      const page = { authorization: `Bearer ${made.key}` };
      const { json: ticket } = await keyed.ask('/v1/tickets', { method: 'POST', headers: page });
      const byTicket = await openTalk(`${keyed.url}/ws/upload/?token=${ticket.token}`);
      const byKey = await openTalk(`${keyed.url}/ws/upload/`, page);
      expect(
        (await keyed.ask(`/v1/admin/keys/${made.id}`, { method: 'DELETE', headers: { authorization } })).status,
      ).toBe(204);
      expect([await byTicket.closed, await byKey.closed]).toEqual([1008, 1008]);
    } finally {
      await keyed[Symbol.asyncDispose]();
    }
  });

  test('what is too large ends with 1009, what is too much with 1008, and both only for their sender', async () => {
    const other = await talk();
    const large = await talk();
    large.say(`{"message":"${'x'.repeat(5000)}"}`);
    expect(await large.closed).toBe(1009);
    const fits = await talk();
    fits.say(`{"message":"${'x'.repeat(4000)}"}`);
    await fits.until((heard) => heard.length >= 2);
    fits.cut();
    const flood = await talk();
    for (let n = 0; n < 200; n += 1) flood.say('{"message":1}');
    expect(await flood.closed).toBe(1008);
    other.say('{"message":"still here"}');
    await other.until((heard) => heard.length >= 2);
    other.cut();
  });

  test('a plain request is told to upgrade, and another upgrade is answered as if it had not asked', async () => {
    for (const target of ['/ws/upload', '/ws/upload/'])
      expect(await served.ask(target)).toMatchObject({ status: 426, json: { code: 'upgrade_required' } });
    const asks = (target: string, upgrade: string) => {
      const lines = [`GET ${target} HTTP/1.1`, 'host: 127.0.0.1', 'connection: upgrade, close', `upgrade: ${upgrade}`];
      return sendRaw(served.url, `${lines.join('\r\n')}\r\n\r\n`, { end: false, ms: 20_000 });
    };
    expect((await asks('/health', 'h2c')).status).toBe(200);
    expect((await asks('/health', 'websocket')).status).toBe(200);
  });

  test.skipIf(!hasCorpora)('garbage after the handshake ends its socket at most', { timeout: 60_000 }, async () => {
    const folder = corpusFile('websocket/gofuzz-wsserver');
    const left = readdirSync(folder).filter((_, at) => engine === 'pglite' || at % 10 === 0);
    const wrong: string[] = [];
    const work = async () => {
      for (let name = left.pop(); name !== undefined; name = left.pop()) {
        const bytes = readFileSync(`${folder}/${name}`);
        // As they are, and as the content of a frame that is masked as it should be.
        for (const frames of [bytes, textFrame(bytes)]) {
          const start = Buffer.from(handshake(served.url, '/ws/upload/'));
          const { text, status } = await sendRaw(served.url, Buffer.concat([start, frames]), { ms: 5000 });
          if (status !== 101 || !text.includes('You are connected!')) wrong.push(`${name}: ${text.slice(0, 100)}`);
        }
      }
    };
    await Promise.all(Array.from({ length: 16 }, work));
    expect(wrong).toEqual([]);
    expect((await served.ask('/readyz')).status).toBe(200);
    expect(served.log.filter(({ level }) => Number(level) >= 50)).toEqual([]);
  });
});

/** A final text frame with a mask (RFC 6455, 5.2). */
function textFrame(content: Buffer): Buffer {
  const mask = createHash('sha256').update(content).digest().subarray(0, 4);
  const masked = content.map((byte, at) => byte ^ mask[at % 4]!);
  const size = content.length < 126 ? [0x80 | content.length] : [0x80 | 126, content.length >> 8, content.length & 255];
  return Buffer.concat([Buffer.from([0x81, ...size]), mask, masked]);
}
