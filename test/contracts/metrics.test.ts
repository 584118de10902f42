// metrics.test.ts — a scrape tells what happened, under the names that dashboards rely on, and nothing that grows for ever.

import { afterAll, beforeAll, expect, test } from 'vitest';
import { onEachDatabase } from '../support/databases.ts';
import { openReceiver, type Receiver } from '../support/receiver.ts';
import { openServed, type Served } from '../support/served.ts';

const names = [
  'images_total{lane,outcome}',
  'image_errors_total{code}',
  'image_seconds{stage}',
  'batches_total{surface,state}',
  'queue_depth{queue,state}',
  'queue_oldest_seconds{queue}',
  'worker_slots{state}',
  'workers{state}',
  'bytes_total{direction}',
  'deliveries_total{outcome}',
  'egress_refused_total{reason}',
  'sandbox_kills_total{reason}',
  'http_request_seconds{method,route,status}',
  'live_clients{kind}',
  'storage_free_bytes{}',
  'event_loop_lag_seconds{}',
  'build_info{version,node}',
];

onEachDatabase((engine) => {
  let served: Served;
  let receiver: Receiver;
  beforeAll(async () => {
    receiver = await openReceiver(() => ({ status: 200 }));
    served = await openServed(engine, { allow: [receiver.host] });
    // The first look only says from where on ends of batches are counted.
    await scrape();
  });
  afterAll(async () => {
    await served[Symbol.asyncDispose]();
    await receiver[Symbol.asyncDispose]();
  });

  const scrape = async (): Promise<string> => (await served.ask('/metrics')).text;
  /** The value of a series; undefined when there is none. */
  const valueIn = (text: string, series: string): number | undefined => {
    const line = text.split('\n').find((each) => each.startsWith(`darkroom_${series} `));
    return line === undefined ? undefined : Number(line.split(' ').at(-1));
  };
  const until = async (series: string, value: number): Promise<void> => {
    await expect.poll(async () => valueIn(await scrape(), series), { timeout: 30_000, interval: 500 }).toBe(value);
  };

  test('what was done is counted: images, bytes, batches, deliveries, requests', async () => {
    const images = ['a.jpg', 'gone.jpg'].map((name) => ({ source: { url: `http://${served.pictures.host}/${name}` } }));
    const reply = await served.ask('/v1/batches?wait=20', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ images, webhook_url: receiver.url }),
    });
    expect(reply.json.state).toBe('partially_succeeded');
    await until('images_total{lane="interactive",outcome="succeeded"}', 1);
    await until('images_total{lane="interactive",outcome="failed"}', 1);
    await until('image_errors_total{code="not_found"}', 1);
    await until('batches_total{surface="native",state="partially_succeeded"}', 1);
    await until('deliveries_total{outcome="delivered"}', 1);
    await until('queue_depth{queue="images",state="failed"}', 1);
    await until('workers{state="alive"}', 1);
    const text = await scrape();
    expect(valueIn(text, 'bytes_total{direction="in"}')).toBe(reply.json.bytes.in);
    expect(valueIn(text, 'bytes_total{direction="out"}')).toBe(reply.json.bytes.out);
    expect(valueIn(text, 'image_seconds_count{stage="encode"}')).toBe(1);
    expect(text).toMatch(/http_request_seconds_count\{method="POST",route="\/v1\/batches",status="200"\} 1/);
  });

  test('a refused address is counted by its code', async () => {
    const body = JSON.stringify({ images: [{ source: { url: 'http://10.0.0.1/x.png' } }] });
    const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body };
    expect((await served.ask('/v1/batches', post)).status).toBe(422);
    expect(valueIn(await scrape(), 'egress_refused_total{reason="blocked_address"}')).toBe(1);
  });

  test('every name is there, with its labels and no others', async () => {
    const text = await scrape();
    const told = new Map(
      [...text.matchAll(/^# TYPE darkroom_(\w+) (\w+)$/gm)].map(([, name = '', type]) => [name, type]),
    );
    expect([...told.keys()].toSorted()).toEqual(names.map((name) => name.replace(/\{.*/, '')).toSorted());
    for (const each of names) {
      const [, name = '', labels = ''] = /^(\w+)\{(.*)\}$/.exec(each) ?? [];
      const lines = text.split('\n').filter((line) => new RegExp(`^darkroom_${name}(_count)?[{ ]`).test(line));
      for (const line of lines) {
        const found = [...line.matchAll(/(\w+)="/g)].map(([, label = '']) => label).filter((label) => label !== 'le');
        expect([name, found.toSorted()]).toEqual([name, labels.split(',').filter(Boolean).toSorted()]);
      }
    }
    expect(text).not.toContain(served.pictures.host);
    expect(text).not.toMatch(/[0-9a-f]{8}-[0-9a-f]{4}-7/);
  });

  test('who follows the news is counted while it does', async () => {
    const leaving = new AbortController();
    const stream = await fetch(`${served.url}/v1/events`, { signal: leaving.signal });
    expect(stream.status).toBe(200);
    await until('live_clients{kind="stream"}', 1);
    leaving.abort();
    await until('live_clients{kind="stream"}', 0);
  });
});
