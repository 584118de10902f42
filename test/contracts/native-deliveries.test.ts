// native-deliveries.test.ts — /v1/deliveries and /v1/webhooks/test: what was sent where, once more on demand, and a trial.

import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { onEachDatabase } from '../support/databases.ts';
import { openReceiver, type Receiver } from '../support/receiver.ts';
import { openServed, type Served } from '../support/served.ts';

const secret = `whsec_${Buffer.alloc(32, 9).toString('base64')}`;
const json = (body: unknown): RequestInit => ({
  method: 'POST',
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/json' },
});

onEachDatabase((engine) => {
  let served: Served;
  let receiver: Receiver;
  beforeAll(async () => {
    receiver = await openReceiver(() => ({ status: 200, body: 'thanks' }));
    served = await openServed(engine, { allow: [receiver.host], env: { DARKROOM_WEBHOOK_SECRET: secret } });
  });
  afterAll(async () => {
    await served[Symbol.asyncDispose]();
    await receiver[Symbol.asyncDispose]();
  });

  const batchWithWebhook = async (): Promise<string> => {
    const body = {
      images: [{ source: { url: `http://${served.pictures.host}/a.jpg` } }],
      webhook_url: receiver.url,
    };
    return (await served.ask('/v1/batches?wait=20', json(body))).json.id;
  };
  const delivered = ({ json: list }: { json: { items: { state: string }[] } }) => list.items[0]?.state === 'delivered';

  test('a delivery is listed with its tries, and can be looked up by its id', async () => {
    const batch = await batchWithWebhook();
    const { json: list } = await served.until(`/v1/deliveries?batch_id=${batch}`, delivered);
    expect(list).toMatchObject({
      items: [
        {
          batch_id: batch,
          generation: 1,
          event_type: 'batch.finished',
          url: receiver.url,
          attempts: [{ status: 200, excerpt: 'thanks', error: null }],
          next_attempt_at: null,
        },
      ],
      next_cursor: null,
    });
    const [only] = list.items;
    expect((await served.ask(`/v1/deliveries/${only.id}`)).json).toEqual(only);
  });

  test('redelivering sends the same body under the same webhook-id', async () => {
    const batch = await batchWithWebhook();
    const { json: list } = await served.until(`/v1/deliveries?batch_id=${batch}`, delivered);
    const [{ id, webhook_id }] = list.items;
    const again = await served.ask(`/v1/deliveries/${id}/redeliver`, { method: 'POST' });
    expect(again).toMatchObject({ status: 202, json: { id } });
    await served.until(`/v1/deliveries/${id}`, (reply) => reply.json.attempts.length === 2);
    const calls = receiver.calls.filter(({ headers }) => headers['webhook-id'] === webhook_id);
    expect(calls).toHaveLength(2);
    expect(calls[0]?.body).toEqual(calls[1]?.body);
  });

  test('lists by pages, by state and by batch, newest first', async () => {
    const batches = [await batchWithWebhook(), await batchWithWebhook()];
    for (const batch of batches) await served.until(`/v1/deliveries?batch_id=${batch}`, delivered);
    const first = await served.ask('/v1/deliveries?limit=1&state=delivered');
    expect(first.json.items).toMatchObject([{ batch_id: batches[1] }]);
    const next = await served.ask(`/v1/deliveries?limit=1&state=delivered&cursor=${first.json.next_cursor}`);
    expect(next.json.items).toMatchObject([{ batch_id: batches[0] }]);
    expect((await served.ask('/v1/deliveries?state=dead')).json.items).toEqual([]);
    expect((await served.ask('/v1/deliveries?batch_id=x')).json.items).toEqual([]);
    expect((await served.ask('/v1/deliveries?stat=dead')).status).toBe(400);
  });

  test('a delivery that does not exist is 404, and so is one whose id has no form', async () => {
    for (const id of ['01991111-1111-7111-8111-111111111111', 'x'])
      for (const [path, method] of [
        [`/v1/deliveries/${id}`, 'GET'],
        [`/v1/deliveries/${id}/redeliver`, 'POST'],
      ] as const)
        expect(await served.ask(path, { method })).toMatchObject({ status: 404, json: { code: 'not_found' } });
  });

  test('a test event arrives signed, and its answer comes back', async () => {
    const reply = await served.ask('/v1/webhooks/test', json({ url: receiver.url }));
    expect(reply).toMatchObject({ status: 200, json: { status: 200, excerpt: 'thanks', error: null } });
    const call = receiver.calls.at(-1);
    const event = new Webhook(secret).verify(String(call?.body), call?.headers as Record<string, string>);
    expect(event).toMatchObject({ type: 'webhook.test' });
  });

  test('without a URL the built-in receiver answers, without a connection', async () => {
    for (const init of [{ method: 'POST' }, json({})])
      expect(await served.ask('/v1/webhooks/test', init)).toMatchObject({
        status: 200,
        json: { status: 204, error: null },
      });
  });

  test('a receiver that is not there is told by its code, one that may not be asked is refused', async () => {
    await using gone = await openReceiver(() => ({ status: 200 }));
    const url = gone.url.replace(gone.host, served.pictures.host.replace(/:\d+$/, ':8443'));
    expect((await served.ask('/v1/webhooks/test', json({ url }))).json.code).toBe('blocked_address');
    const own = await served.ask('/v1/webhooks/test', json({ url: `${served.url}/v1/webhooks/test` }));
    expect(own).toMatchObject({ status: 422, json: { code: 'blocked_address' } });
    expect(await served.ask('/v1/webhooks/test', json({ url: 'ftp://x' }))).toMatchObject({ status: 422 });
    const missing = await served.ask('/v1/webhooks/test', json({ url: 'http://nobody.invalid/hook' }));
    expect(missing).toMatchObject({ status: 200, json: { status: null, error: 'dns_failure' } });
  });
});
