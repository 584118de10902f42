// catalog-webhooks.test.ts — the webhook of B and C: what it says, and that it arrives whatever happens (W1 to W5).

import { createServer } from 'node:http';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { Webhook } from 'standardwebhooks';
import { freePort } from '../support/product.ts';
import { onEachDatabase } from '../support/databases.ts';
import { openReceiver, type Answer, type Call, type Receiver } from '../support/receiver.ts';
import { csv, ended, openServed, type Served } from '../support/served.ts';
import { testCsv } from '../support/contract-files.ts';
import { unlike } from '../support/contracts.ts';

const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

onEachDatabase((engine) => {
  async function open(answer: (call: Call, number: number) => Answer) {
    const receiver = await openReceiver(answer);
    const env = { DARKROOM_WEBHOOK_SECRET: secret };
    const served = await openServed(engine, { env, allow: [receiver.host] });
    const dispose = async () => {
      await served[Symbol.asyncDispose]();
      await receiver[Symbol.asyncDispose]();
    };
    return { served, receiver, [Symbol.asyncDispose]: dispose };
  }

  async function send({ served, receiver }: { served: Served; receiver: Receiver }, text: string, header?: string) {
    const form = { file: csv(text, 'x.csv', header), webhook_url: receiver.url };
    return (await served.ask('/upload', { form })).json.request_id as string;
  }

  const bodyOf = (call: Call | undefined) => JSON.parse(String(call?.body));

  test('says what the contract shows, after everything can be fetched', async () => {
    await using house = await open(() => ({ status: 200 }));
    const id = await send(house, testCsv(house.served.pictures.host), '');
    await expect.poll(() => house.receiver.calls.length, { timeout: 20_000 }).toBe(1);
    const call = house.receiver.calls[0];
    const body = bodyOf(call);
    expect(unlike(body, contractBody(id), '')).toEqual([]);
    expect((await fetch(body.products[0].output_image_urls[0])).status).toBe(200);
    expect((await fetch(body.output_csv_url)).status).toBe(200);
    expect(call?.headers['content-type']).toBe('application/json');
    expect(call?.headers['user-agent']).toMatch(/^Darkroom\//);
  });

  test('W1: a receiver that fails is called again, under the same id, until it takes it', async () => {
    await using house = await open((_call, number) => ({ status: number < 3 ? 500 : 200 }));
    await send(house, `1,A,http://${house.served.pictures.host}/a.jpg\n`);
    await expect.poll(() => house.receiver.calls.length, { timeout: 30_000, interval: 200 }).toBe(2);
    // The third try is minutes away by design; the schedule itself is proved with an injected clock.
    const hasten = async () => {
      await sql`update deliveries set run_at = now() where state = 'queued'`.execute(house.served.app.db.query);
      return house.receiver.calls.length;
    };
    await expect.poll(hasten, { timeout: 30_000, interval: 200 }).toBe(3);
    const ids = house.receiver.calls.map(({ headers }) => headers['webhook-id']);
    expect(new Set(ids).size).toBe(1);
  });

  test('W2: a webhook arrives after the receiver was down at the end and Darkroom was started anew', async () => {
    const port = await freePort();
    await using served = await openServed(engine, { allow: [`127.0.0.1:${port}`] });
    const form = { file: csv(`1,A,http://${served.pictures.host}/a.jpg\n`), webhook_url: `http://127.0.0.1:${port}/` };
    const { json } = await served.ask('/upload', { form });
    await served.until(`/status/${json.request_id}`, ended);
    await served.until(`/v1/batches/${json.request_id}`, ({ json: batch }) => batch.webhook.state === 'queued');
    await served.restart();
    const { promise: heard, resolve } = Promise.withResolvers<string>();
    const receiver = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        resolve(String(Buffer.concat(chunks)));
        response.end();
      });
    }).listen(port, '127.0.0.1');
    expect(JSON.parse(await heard)).toMatchObject({ request_id: json.request_id, status: 'completed' });
    receiver.closeAllConnections();
    receiver.close();
  });

  test('W3: a retry of failed images is told by a second webhook with a new id', async () => {
    await using house = await open(() => ({ status: 200 }));
    const id = await send(house, `1,A,http://${house.served.pictures.host}/gone.jpg\n`);
    await expect.poll(() => house.receiver.calls.length, { timeout: 20_000 }).toBe(1);
    expect(await house.served.ask(`/v1/batches/${id}/retry`, { method: 'POST' })).toMatchObject({ status: 202 });
    await house.served.until(`/status/${id}`, ended);
    await expect.poll(() => house.receiver.calls.length, { timeout: 20_000 }).toBe(2);
    const [first, second] = house.receiver.calls.map(({ headers }) => headers['webhook-id']);
    expect(first).not.toBe(second);
    expect(bodyOf(house.receiver.calls[1])).toMatchObject({
      status: 'failed',
      error: 'All 1 images failed: 1 x not_found',
    });
  });

  test('W4: the reference library verifies the bytes, and refuses one that changed', async () => {
    await using house = await open(() => ({ status: 200 }));
    await send(house, `1,A,http://${house.served.pictures.host}/a.jpg\n`);
    await expect.poll(() => house.receiver.calls.length, { timeout: 20_000 }).toBe(1);
    const { headers, body } = house.receiver.calls[0]!;
    const verifier = new Webhook(secret);
    const sent = headers as Record<string, string>;
    expect(() => verifier.verify(body, sent)).not.toThrow();
    expect(() => verifier.verify(String(body).replace('completed', 'complexed'), sent)).toThrow(
      'No matching signature found',
    );
  });

  test('W5: a redirect inward is not followed', async () => {
    await using inward = await openReceiver(() => ({ status: 200 }));
    await using house = await open(() => ({ status: 302, headers: { location: inward.url } }));
    await send(house, `1,A,http://${house.served.pictures.host}/a.jpg\n`);
    await expect.poll(() => house.receiver.calls.length, { timeout: 20_000 }).toBeGreaterThan(0);
    const told = () => house.served.log.some(({ msg }) => /webhook/i.test(String(msg)));
    await expect.poll(told, { timeout: 10_000 }).toBe(true);
    expect(inward.calls).toEqual([]);
  });

  test('more than a hundred images are told without products', async () => {
    await using house = await open(() => ({ status: 200 }));
    const urls = Array.from(
      { length: 101 },
      (_, index) => `${index},A,http://${house.served.pictures.host}/gone.jpg\n`,
    );
    await send(house, urls.join(''));
    await expect.poll(() => house.receiver.calls.length, { timeout: 30_000 }).toBe(1);
    const body = bodyOf(house.receiver.calls[0]);
    expect(body).toMatchObject({ truncated: true, total_images: 101, status: 'failed' });
    expect(body).not.toHaveProperty('products');
  });
});

function contractBody(id: string) {
  return {
    request_id: id,
    status: 'completed',
    error: null,
    created_at: '<ts>',
    completed_at: '<ts>',
    total_images: 4,
    processed_images: 3,
    failed_images: 1,
    output_csv_url: '<url>',
    failed_csv_url: '<url>',
    products: [
      {
        serial_number: '1',
        product_name: 'SKU1',
        input_image_urls: ['<url>', '<url>', '<url>'],
        output_image_urls: ['<url>', null, '<url>'],
      },
      { serial_number: '2', product_name: 'SKU2', input_image_urls: ['<url>'], output_image_urls: ['<url>'] },
    ],
  };
}
