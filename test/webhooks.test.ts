// What safety.md §8 promises of a delivery, on both engines, against a receiver that really listens.

import { Webhook } from 'standardwebhooks';
import { expect, test, vi } from 'vitest';
import { claimDeliveries, releaseDeliveries, releaseLostDeliveries } from '../src/notify/claim.ts';
import { redeliver } from '../src/notify/deliveries.ts';
import { onEachDatabase } from './support/databases.ts';
import { openDelivering, secret } from './support/delivering.ts';
import { openReceiver } from './support/receiver.ts';

const patience = { timeout: 10_000, interval: 20 };

onEachDatabase((engine) => {
  test('W1: a receiver that fails twice gets three requests with one id, and the third arrives', async () => {
    await using receiver = await openReceiver((_, number) => ({
      status: number < 3 ? 500 : 200,
      body: `try ${number}`,
    }));
    await using house = await openDelivering(engine, [receiver]);
    const id = await house.addDelivery(receiver.url);
    await house.run();
    await vi.waitFor(async () => expect((await house.find(id)).state).toBe('delivered'), patience);
    expect(receiver.calls.map(({ headers }) => headers['webhook-id'])).toEqual(Array(3).fill(`msg_${id}`));
    const { tries, attempts, finishedAt } = await house.find(id);
    expect(tries.map(({ status, excerpt }) => [status, excerpt])).toEqual([
      [500, 'try 1'],
      [500, 'try 2'],
      [200, 'try 3'],
    ]);
    expect(attempts).toBe(3);
    expect(finishedAt).toBeInstanceOf(Date);
  });

  test('W2: what a dead worker was sending is sent again under its id', async () => {
    await using receiver = await openReceiver(() => ({ status: 200 }));
    await using house = await openDelivering(engine, [receiver]);
    const id = await house.addDelivery(receiver.url);
    await claimDeliveries(house.db, { worker: 'dead-worker', limit: 8, perHost: 4, busy: new Map() });
    expect(await house.find(id)).toMatchObject({ state: 'sending', attempts: 1 });
    await house.run();
    await vi.waitFor(async () => expect((await house.find(id)).state).toBe('delivered'), patience);
    expect(receiver.calls.map(({ headers }) => headers['webhook-id'])).toEqual([`msg_${id}`]);
  });

  test('what a living worker is sending stays with it', async () => {
    await using house = await openDelivering(engine, []);
    const id = await house.addDelivery('https://shop.example.com/hook');
    await house.enter('worker-2');
    await claimDeliveries(house.db, { worker: 'worker-2', limit: 8, perHost: 4, busy: new Map() });
    expect(await releaseLostDeliveries(house.db, 'worker-1')).toBe(0);
    expect(await releaseDeliveries(house.db, 'worker-1')).toBe(0);
    expect((await house.find(id)).state).toBe('sending');
    expect(await releaseDeliveries(house.db, 'worker-2')).toBe(1);
    expect((await house.find(id)).state).toBe('queued');
  });

  test('W4: the signature verifies with the reference library over the raw bytes, and not with one byte changed', async () => {
    await using receiver = await openReceiver(() => ({ status: 204 }));
    await using house = await openDelivering(engine, [receiver]);
    await house.addDelivery(receiver.url, { hop: 2 });
    await house.run();
    await vi.waitFor(() => expect(receiver.calls).toHaveLength(1), patience);
    const { headers, body } = receiver.calls[0] ?? { headers: {}, body: Buffer.alloc(0) };
    const signed = headers as Record<string, string>;
    expect(new Webhook(secret).verify(body, signed)).toMatchObject({ text: 'Grüße' });
    const changed = Buffer.from(body);
    changed[0] = (changed[0] ?? 0) ^ 1;
    expect(() => new Webhook(secret).verify(changed, signed)).toThrow('No matching signature');
    expect(headers).toMatchObject({ 'content-type': 'application/json', 'darkroom-hop': '3' });
    expect(headers['user-agent']).toMatch(/^Darkroom\//);
  });

  test('W5: a redirect is a failure and is not followed', async () => {
    await using inside = await openReceiver(() => ({ status: 200 }));
    await using receiver = await openReceiver(() => ({ status: 307, headers: { location: inside.url } }));
    await using house = await openDelivering(engine, [receiver, inside]);
    const id = await house.addDelivery(receiver.url);
    await house.run({ schedule: [0, 20] });
    await vi.waitFor(async () => expect((await house.find(id)).state).toBe('dead'), patience);
    expect((await house.find(id)).tries.map(({ status }) => status)).toEqual([307, 307]);
    expect(inside.calls).toHaveLength(0);
  });

  test('the body of the first try is repeated to the byte, even if the batch has changed since', async () => {
    await using receiver = await openReceiver((_, number) => ({ status: number < 2 ? 503 : 200 }));
    await using house = await openDelivering(engine, [receiver]);
    const id = await house.addDelivery(receiver.url);
    let written = 0;
    await house.run({
      compose: async () => ({ contentType: 'application/json', body: Buffer.from(`{"written":${++written}}`) }),
    });
    await vi.waitFor(async () => expect((await house.find(id)).state).toBe('delivered'), patience);
    expect(receiver.calls.map(({ body }) => body.toString())).toEqual(['{"written":1}', '{"written":1}']);
  });

  test('a multipart body is composed at each try and not kept', async () => {
    await using receiver = await openReceiver((_, number) => ({ status: number < 2 ? 503 : 200 }));
    await using house = await openDelivering(engine, [receiver]);
    const id = await house.addDelivery(receiver.url, { format: 'multipart' });
    let written = 0;
    const compose = async ({ format }: { format: string }) => ({
      contentType: `${format}/form-data; boundary=b`,
      body: Buffer.from(`--b ${++written}`),
    });
    await house.run({ compose });
    await vi.waitFor(async () => expect((await house.find(id)).state).toBe('delivered'), patience);
    expect(receiver.calls.map(({ body }) => body.toString())).toEqual(['--b 1', '--b 2']);
    expect(receiver.calls[1]?.headers['content-type']).toBe('multipart/form-data; boundary=b');
  });

  test('410 ends the delivery, and nothing more is sent to that URL for that owner until somebody asks', async () => {
    let gone = true;
    await using receiver = await openReceiver(() => ({ status: gone ? 410 : 200 }));
    await using house = await openDelivering(engine, [receiver]);
    const first = await house.addDelivery(receiver.url, { owner: 'ada' });
    await house.run();
    await vi.waitFor(async () => expect((await house.find(first)).state).toBe('dead'), patience);
    const second = await house.addDelivery(receiver.url, { owner: 'ada' });
    const foreign = await house.addDelivery(receiver.url, { owner: 'bob' });
    await vi.waitFor(async () => expect((await house.find(second)).state).toBe('dead'), patience);
    expect((await house.find(second)).tries).toMatchObject([{ status: null, error: 'receiver_disabled' }]);
    expect((await house.find(second)).receiverDisabledAt).toBeInstanceOf(Date);
    await vi.waitFor(async () => expect((await house.find(foreign)).state).toBe('dead'), patience);
    expect(receiver.calls).toHaveLength(2);

    gone = false;
    expect(await redeliver(house.db, second, 'bob')).toBeUndefined();
    // It may be on its way again before we look.
    expect(await redeliver(house.db, second, 'ada')).toMatchObject({ receiverDisabledAt: null });
    await vi.waitFor(async () => expect((await house.find(second)).state).toBe('delivered'), patience);
    expect(receiver.calls[2]?.headers['webhook-id']).toBe(`msg_${second}`);
  });

  test('a delivery that arrived can be sent again, under the same id', async () => {
    await using receiver = await openReceiver(() => ({ status: 200 }));
    await using house = await openDelivering(engine, [receiver]);
    const id = await house.addDelivery(receiver.url);
    await house.run();
    await vi.waitFor(async () => expect((await house.find(id)).state).toBe('delivered'), patience);
    await redeliver(house.db, id);
    await vi.waitFor(() => expect(receiver.calls).toHaveLength(2), patience);
    expect(receiver.calls[1]?.headers['webhook-id']).toBe(`msg_${id}`);
    expect(receiver.calls[1]?.body).toEqual(receiver.calls[0]?.body);
  });
});
