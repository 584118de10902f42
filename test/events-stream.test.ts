// The news over HTTP: told as they happen, resumed where a follower was cut off, and as pages.

import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { claimImages } from '../src/batches/claim.ts';
import { newId } from '../src/batches/ids.ts';
import { enterWorker } from '../src/batches/reap.ts';
import { settleImages } from '../src/batches/settle.ts';
import { redeemTicket } from '../src/http/tickets.ts';
import { onEachDatabase } from './support/databases.ts';
import { openStream, type Stream, type Told } from './support/follow.ts';
import { ended, success } from './support/house.ts';
import { openServed, type Served } from './support/served.ts';

const post = (body: unknown): RequestInit => ({
  method: 'POST',
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/json' },
});
const ends = new Set(['image.succeeded', 'image.failed', 'image.canceled']);
const numbered = (told: Told[]) => told.filter(({ id }) => id !== undefined);
const ofBatch = (told: Told[], id: string) => told.filter(({ data }) => data.data.batch_id === id);
const hasFinished =
  (...ids: string[]) =>
  (told: Told[]) =>
    ids.every((id) => ofBatch(told, id).some(({ type }) => type === 'batch.finished'));

onEachDatabase((engine) => {
  let served: Served;
  beforeAll(async () => {
    served = await openServed(engine);
  });
  afterAll(() => served[Symbol.asyncDispose]());

  const streams: Stream[] = [];
  const follow = async (query = '', lastEventId?: string) => {
    const stream = await openStream(`${served.url}/v1/events${query}`, lastEventId);
    streams.push(stream);
    return stream;
  };
  const submit = async (...names: string[]): Promise<string> => {
    const images = names.map((name) => ({ source: { url: `http://${served.pictures.host}/${name}` } }));
    return (await served.ask('/v1/batches', post({ images }))).json.id;
  };
  const finished = (id: string) => served.ask(`/v1/batches/${id}?wait=30`);
  /** The ends that the rows tell, as the events should have told them. */
  const endsOf = async (id: string): Promise<string[]> => {
    const { json } = await served.ask(`/v1/batches/${id}/images?limit=500`);
    return json.items.map((image: { id: string; state: string }) => `${image.id} image.${image.state}`).toSorted();
  };
  const toldEnds = (told: Told[]) =>
    told
      .filter(({ type }) => ends.has(type))
      .map(({ type, data }) => `${data.data.image_id} ${type}`)
      .toSorted();

  test('a follower hears of a batch, of each image and of the end, as /v1 shows them', async () => {
    const stream = await follow();
    const id = await submit('a.jpg', 'b.png', 'gone.jpg');
    await stream.until(hasFinished(id));
    stream.cut();
    const told = numbered(ofBatch(stream.told, id));
    expect(told[0]).toMatchObject({ type: 'batch.created', data: { data: { batch: { id, surface: 'native' } } } });
    expect(told.at(-1)).toMatchObject({ type: 'batch.finished', data: { data: { batch: { counts: { total: 3 } } } } });
    expect(toldEnds(told)).toEqual(await endsOf(id));
    const [one] = told.filter(({ type }) => type === 'image.succeeded');
    const { json: image } = await served.ask(`/v1/images/${one?.data.data.image_id}`);
    const { timings_ms: _timings, history: _history, ...listed } = image;
    expect(one?.data).toEqual({
      id: one?.id,
      type: 'image.succeeded',
      timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
      data: { batch_id: id, image_id: image.id, image: listed },
    });
    expect(told.map(({ id: number }) => Number(number))).toEqual(
      told.map(({ id: number }) => Number(number)).toSorted((a, b) => a - b),
    );
    expect(stream.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(stream.headers.get('x-accel-buffering')).toBe('no');
    expect(stream.headers.get('cache-control')).toBe('no-store');
  });

  test('who is at work is told without a number, before the end', async () => {
    const stream = await follow('?types=image.running,image.succeeded');
    const release = served.pictures.hold();
    const id = await submit('a.jpg');
    await stream.until((told) => ofBatch(told, id).length > 0).finally(release);
    await finished(id);
    await stream.until((told) => ofBatch(told, id).length > 1);
    stream.cut();
    const told = ofBatch(stream.told, id);
    expect(told.map(({ type }) => type)).toEqual(['image.running', 'image.succeeded']);
    expect(told.map((each) => each.id === undefined)).toEqual([true, false]);
    expect(told[0]?.data.data.image.state).toBe('running');
  });

  test('while nobody follows a claim tells nothing', async () => {
    for (const stream of streams) stream.cut();
    const silent = await openServed(engine);
    try {
      const heard: string[] = [];
      await silent.app.db.listen('running', (payload) => heard.push(payload));
      const images = [{ source: { url: `http://${silent.pictures.host}/a.jpg` } }];
      await silent.ask('/v1/batches?wait=30', post({ images }));
      expect(heard).toEqual([]);
      const stream = await openStream(`${silent.url}/v1/events`);
      await silent.ask('/v1/batches?wait=30', post({ images }));
      await stream.until((told) => told.some(({ type }) => type === 'batch.finished'));
      stream.cut();
      expect(heard.some((payload) => payload.includes('running'))).toBe(true);
    } finally {
      await silent[Symbol.asyncDispose]();
    }
  });

  test('a follower that is cut, over a restart too, misses nothing and hears nothing twice', async () => {
    let stream = await follow();
    const told: Told[] = [];
    const ids: string[] = [];
    const again = async () => {
      stream.cut();
      await stream.over;
      told.push(...stream.told);
      const last = stream.lastId();
      stream = await follow('', last);
    };
    for (let round = 0; round < 6; round += 1) {
      ids.push(await submit('a.jpg', 'b.png', `gone-${round}.jpg`));
      if (round === 2) {
        // While it is away things happen, and the server is another one when it comes back.
        stream.cut();
        await stream.over;
        ids.push(await submit('b.png'));
        await served.restart();
      }
      await again();
    }
    for (const id of ids) await finished(id);
    await stream.until((now) => hasFinished(...ids)([...told, ...now]));
    stream.cut();
    const all = numbered([...told, ...stream.told]);
    for (const id of ids) {
      expect(toldEnds(ofBatch(all, id))).toEqual(await endsOf(id));
      expect(ofBatch(all, id).filter(({ type }) => type === 'batch.finished')).toHaveLength(1);
    }
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
  });

  test('a server that stops ends its streams itself', async () => {
    const stream = await follow();
    await served.restart();
    expect(await stream.over).toBe(true);
  });

  test('filters give what they name and nothing else', async () => {
    const everything = await follow();
    const id = await submit('a.jpg', 'gone.jpg');
    await finished(id);
    await everything.until(hasFinished(id));
    everything.cut();
    const { json } = await served.ask(`/v1/batches/${id}/images`);
    const [first] = json.items;
    const filters: [string, (told: Told) => boolean][] = [
      [`batch_id=${id.toUpperCase().replaceAll('-', '')}`, ({ data }) => data.data.batch_id === id],
      [`image_id=${first.id}`, ({ data }) => data.data.image_id === first.id],
      ['types=image.failed,batch.finished', ({ type }) => type === 'image.failed' || type === 'batch.finished'],
    ];
    for (const [query, fits] of filters) {
      const stream = await follow(`?${query}&after=0`);
      const wanted = numbered(everything.told).filter(fits);
      await stream.until((told) => told.some((each) => each.id === wanted.at(-1)?.id));
      stream.cut();
      expect(stream.told.every(fits)).toBe(true);
      const newIds = stream.told.filter(({ data }) => data.data.batch_id === id).map((each) => each.id);
      expect(newIds).toEqual(wanted.map((each) => each.id));
    }
  });

  test('a batch or an image that is not there is 404, and what is misspelt 400', async () => {
    const nobody = newId();
    for (const query of [`batch_id=${nobody}`, `image_id=${nobody}`, 'batch_id=abc'])
      expect((await served.ask(`/v1/events?${query}`)).json).toMatchObject({ status: 404, code: 'not_found' });
    for (const query of ['types=image.done', 'after=x', 'limit=0', 'batch=1'])
      expect((await served.ask(`/v1/events?${query}`)).json).toMatchObject({ status: 400, code: 'invalid_query' });
  });

  test('pages tell the same as the stream, and say where the next one begins', async () => {
    const stream = await follow('?after=0');
    await finished(await submit('a.jpg', 'b.png'));
    const last = await finished(await submit('a.jpg'));
    await stream.until(hasFinished(last.json.id));
    stream.cut();
    const items: { id: string }[] = [];
    let after = '0';
    for (let more = true; more;) {
      const page = await served.ask(`/v1/events?after=${after}&limit=3`, { headers: { accept: 'application/json' } });
      expect(page.status).toBe(200);
      expect(page.json.items.length).toBeLessThanOrEqual(3);
      items.push(...page.json.items);
      ({ next_after: after, more } = page.json);
    }
    expect(items.map(({ id }) => id)).toEqual(numbered(stream.told).map(({ id }) => id));
    const empty = await served.ask(`/v1/events?after=${after}`, { headers: { accept: 'application/json' } });
    expect(empty.json).toEqual({ items: [], next_after: after, more: false, reset: false });
  });

  test('HEAD answers as GET does, and at once', async () => {
    const head = await served.ask('/v1/events', { method: 'HEAD' });
    expect([head.status, head.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8']);
  });

  test('progress follows the counters of a running batch, without a number', async () => {
    const idle = await openServed(engine, { work: false });
    try {
      const images = Array.from({ length: 4 }, (_, n) => ({ source: { url: `http://${idle.pictures.host}/${n}` } }));
      const { id } = (await idle.ask('/v1/batches', post({ images }))).json;
      const stream = await openStream(`${idle.url}/v1/events?batch_id=${id}&types=batch.progress`);
      const worker = newId();
      await enterWorker(idle.app, { id: worker, version: 'test', slots: 1 });
      for (const count of [1, 2]) {
        const [item] = await claimImages(idle.app, { worker, lanes: [0, 1], limit: 1 });
        await settleImages(idle.app, worker, [ended(item!, success())]);
        await stream.until((told) => told.some(({ data }) => data.data.counts.succeeded === count));
      }
      stream.cut();
      expect(stream.told.at(-1)).toMatchObject({
        id: undefined,
        type: 'batch.progress',
        data: { data: { batch_id: id, counts: { total: 4, succeeded: 2 }, progress: { percent: 50 } } },
      });
    } finally {
      await idle[Symbol.asyncDispose]();
    }
  });

  test('whoever comes back too late, or with a number of another database, is told to look afresh', async () => {
    const old = await submit('a.jpg');
    await finished(old);
    const events = { headers: { accept: 'application/json' } };
    const { json: all } = await served.ask('/v1/events?limit=500', events);
    const [first, last] = [all.items[0].id, all.items.at(-1).id];
    await sql`delete from events where seq < (select max(seq) from events)`.execute(served.app.db.query);
    for (const lastId of [first, '999999999999', 'nonsense']) {
      const stream = await follow('', lastId);
      await stream.until((told) => told.length > 0);
      expect(stream.told[0]).toMatchObject({ type: 'reset', data: { type: 'reset', data: {} } });
      const next = await submit('b.png');
      await stream.until(hasFinished(next));
      stream.cut();
      expect(numbered(ofBatch(stream.told, old))).toEqual([]);
    }
    const known = await follow('', last);
    const next = await submit('b.png');
    await known.until(hasFinished(next));
    known.cut();
    expect(known.told.map(({ type }) => type)).not.toContain('reset');
    expect((await served.ask(`/v1/events?after=${first}`, events)).json.reset).toBe(true);
  });

  test('a ticket opens once, and only while it is fresh', async () => {
    const issue = async () => (await served.ask('/v1/tickets', { method: 'POST' })).json.token as string;
    const token = await issue();
    expect(await redeemTicket(served.app, token)).toMatchObject({ scope: 'admin', sees: undefined });
    expect(await redeemTicket(served.app, token)).toBeUndefined();
    const late = await issue();
    await sql`update socket_tickets set expires_at = now() - interval '1 s'`.execute(served.app.db.query);
    expect(await redeemTicket(served.app, late)).toBeUndefined();
  });
});
