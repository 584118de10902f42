// How deliveries behave when receivers, workers or the house are in trouble.

import { sql } from 'kysely';
import { expect, test, vi } from 'vitest';
import { claimDeliveries, releaseDeliveries, settleDelivery } from '../src/notify/claim.ts';
import { listDeliveries } from '../src/notify/deliveries.ts';
import { problem } from '../src/problem.ts';
import { onEachDatabase } from './support/databases.ts';
import { openDelivering } from './support/delivering.ts';
import { openReceiver } from './support/receiver.ts';

const patience = { timeout: 10_000, interval: 20 };

onEachDatabase((engine) => {
  test('a slow receiver gets four calls at a time and delays no other, however many wait for it', async () => {
    const open = Promise.withResolvers<void>();
    await using slow = await openReceiver(async () => {
      await open.promise;
      return { status: 200 };
    });
    await using quick = await openReceiver(() => ({ status: 200 }));
    await using house = await openDelivering(engine, [slow, quick]);
    await house.addMany(slow.url, 600);
    await house.run();
    await vi.waitFor(() => expect(slow.calls).toHaveLength(4), patience);
    const late = await Promise.all([1, 2, 3].map(() => house.addDelivery(quick.url)));
    await vi.waitFor(() => expect(quick.calls).toHaveLength(3), patience);
    for (const id of late)
      await vi.waitFor(async () => expect((await house.find(id)).state).toBe('delivered'), patience);
    expect(slow.calls).toHaveLength(4);
    expect(await listDeliveries(house.app, { state: 'sending', limit: 100 })).toHaveLength(4);
    open.resolve();
    await vi.waitFor(() => expect(slow.calls.length).toBeGreaterThan(20), patience);
    expect(slow.most()).toBe(4);
  });

  test('two workers share the deliveries and send none twice', async () => {
    await using receiver = await openReceiver(() => ({ status: 200 }));
    await using house = await openDelivering(engine, [receiver]);
    const ids: string[] = [];
    for (let count = 0; count < 30; count++) ids.push(await house.addDelivery(receiver.url));
    await house.run({ worker: 'worker-1' });
    await house.run({ worker: 'worker-2' });
    await vi.waitFor(() => expect(receiver.calls.length).toBeGreaterThanOrEqual(30), patience);
    for (const id of ids)
      await vi.waitFor(async () => expect((await house.find(id)).state).toBe('delivered'), patience);
    expect(receiver.calls).toHaveLength(30);
    const sent = new Set(receiver.calls.map(({ headers }) => headers['webhook-id']));
    expect(sent).toEqual(new Set(ids.map((id) => `msg_${id}`)));
  });

  test('Retry-After is kept where it is longer than the schedule', async () => {
    await using receiver = await openReceiver(() => ({ status: 503, headers: { 'retry-after': '600' } }));
    await using house = await openDelivering(engine, [receiver]);
    const id = await house.addDelivery(receiver.url);
    await house.run();
    await vi.waitFor(async () => expect((await house.find(id)).tries).toHaveLength(1), patience);
    const { rows } = await sql<{ seconds: number }>`
      select extract(epoch from run_at - now())::float8 as seconds from deliveries`.execute(house.db.query);
    expect(rows[0]?.seconds).toBeGreaterThan(590);
    expect(rows[0]?.seconds).toBeLessThanOrEqual(600);
  });

  test('a receiver that hangs up, or does not listen, costs a try and is told in the log', async () => {
    await using receiver = await openReceiver(() => new Promise(() => undefined));
    await using house = await openDelivering(engine, [receiver]);
    await receiver[Symbol.asyncDispose]();
    const id = await house.addDelivery(receiver.url);
    const forbidden = await house.addDelivery('http://127.0.0.1:9/hook');
    await house.run({ schedule: [0] });
    await vi.waitFor(async () => expect((await house.find(id)).state).toBe('dead'), patience);
    expect((await house.find(id)).tries).toMatchObject([{ status: null, error: 'connect_failed' }]);
    await vi.waitFor(async () => expect((await house.find(forbidden)).state).toBe('dead'), patience);
    expect((await house.find(forbidden)).tries).toMatchObject([{ status: null, error: 'blocked_address' }]);
  });

  test('a URL that has only failed for five days is paused', async () => {
    await using receiver = await openReceiver(() => ({ status: 500 }));
    await using house = await openDelivering(engine, [receiver]);
    const first = await house.addDelivery(receiver.url);
    await house.run({ schedule: [0] });
    await vi.waitFor(async () => expect((await house.find(first)).state).toBe('dead'), patience);
    expect((await house.find(first)).receiverDisabledAt).toBeNull();
    await sql`update receivers set failing_since = now() - interval '5 days 1 minute'`.execute(house.db.query);
    const second = await house.addDelivery(receiver.url);
    await vi.waitFor(async () => expect((await house.find(second)).receiverDisabledAt).not.toBeNull(), patience);
    const third = await house.addDelivery(receiver.url);
    await vi.waitFor(async () => expect((await house.find(third)).state).toBe('dead'), patience);
    expect(receiver.calls).toHaveLength(2);
  });

  test('an answer with NUL and half surrogates is logged as text', async () => {
    const body = Buffer.from('a\0b\u{1f600}'.repeat(400));
    await using receiver = await openReceiver(() => ({ status: 200, body }));
    await using house = await openDelivering(engine, [receiver]);
    const id = await house.addDelivery(receiver.url);
    await house.run();
    await vi.waitFor(async () => expect((await house.find(id)).state).toBe('delivered'), patience);
    const [entry] = (await house.find(id)).tries;
    expect(entry?.excerpt).toMatch(/^ab\u{1f600}ab/u);
    expect(Buffer.byteLength(entry?.excerpt ?? '')).toBeLessThanOrEqual(1027);
  });

  test('a fault of our own while composing costs no try', async () => {
    await using receiver = await openReceiver(() => ({ status: 200 }));
    await using house = await openDelivering(engine, [receiver]);
    const id = await house.addDelivery(receiver.url);
    let composed = 0;
    await house.run({
      compose: async () => {
        composed += 1;
        throw new Error('the disk is full');
      },
    });
    await vi.waitFor(async () => {
      expect(composed).toBe(1);
      expect(await house.find(id)).toMatchObject({ state: 'queued', attempts: 0, tries: [] });
    }, patience);
    expect(receiver.calls).toHaveLength(0);
  });

  test('a machine with no file left for a connection costs no try', async () => {
    await using house = await openDelivering(engine, []);
    const id = await house.addDelivery('https://shop.example.com/hook');
    let tried = 0;
    house.app.egress.post = async () => {
      tried += 1;
      throw problem('unavailable');
    };
    await house.run();
    await vi.waitFor(async () => {
      expect(tried).toBe(1);
      expect(await house.find(id)).toMatchObject({ state: 'queued', attempts: 0, tries: [] });
    }, patience);
  });

  test('stopping waits a moment for what is being sent, then puts it back without counting the try', async () => {
    await using receiver = await openReceiver(() => new Promise(() => undefined));
    await using house = await openDelivering(engine, [receiver]);
    const id = await house.addDelivery(receiver.url);
    const stop = await house.run({ graceMs: 100 });
    await vi.waitFor(() => expect(receiver.calls).toHaveLength(1), patience);
    await stop();
    expect(await house.find(id)).toMatchObject({ state: 'queued', attempts: 0, tries: [] });
  });

  test('a delivery that took its worker down more often than planned is given up', async () => {
    await using receiver = await openReceiver(() => ({ status: 200 }));
    await using house = await openDelivering(engine, [receiver]);
    const id = await house.addDelivery(receiver.url);
    await sql`update deliveries set attempts = 4`.execute(house.db.query);
    await house.run();
    await vi.waitFor(async () => expect((await house.find(id)).state).toBe('dead'), patience);
    expect((await house.find(id)).tries).toMatchObject([{ error: 'worker_lost' }]);
    expect(receiver.calls).toHaveLength(0);
  });

  test('a knock on the door starts a delivery long before the next look at the table', async () => {
    await using receiver = await openReceiver(() => ({ status: 200 }));
    await using house = await openDelivering(engine, [receiver]);
    const first = await house.addDelivery(receiver.url);
    let knock: (() => void) | undefined;
    const wake = (hear: () => void) => {
      knock = hear;
      return () => undefined;
    };
    await house.run({ pollMs: 60_000, wake });
    await vi.waitFor(async () => expect((await house.find(first)).state).toBe('delivered'), patience);
    await house.addDelivery(receiver.url);
    await vi.waitFor(() => {
      knock?.();
      expect(receiver.calls).toHaveLength(2);
    }, patience);
  });

  test('a worker that was thought dead cannot write over the try of its successor', async () => {
    await using house = await openDelivering(engine, []);
    const id = await house.addDelivery('https://shop.example.com/hook');
    const claiming = { limit: 8, perHost: 4, busy: new Map<string, number>() };
    const [late] = await claimDeliveries(house.db, { ...claiming, worker: 'worker-1' });
    await releaseDeliveries(house.db, 'worker-1');
    const [held] = await claimDeliveries(house.db, { ...claiming, worker: 'worker-2' });
    if (!late || !held) throw new Error('nothing was claimed');
    const entry = { at: new Date().toISOString(), status: 200, ms: 1, excerpt: '', error: null };
    const arrived = { verdict: { state: 'delivered' } as const, entry };
    expect(await settleDelivery(house.db, late, arrived)).toBe(false);
    expect(await settleDelivery(house.db, { ...held, attempts: 1 }, arrived)).toBe(false);
    expect(await house.find(id)).toMatchObject({ state: 'sending', tries: [] });
    expect(await settleDelivery(house.db, held, arrived)).toBe(true);
    expect(await house.find(id)).toMatchObject({ state: 'delivered', attempts: 2 });
  });
});
