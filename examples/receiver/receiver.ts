// receiver.ts — a webhook receiver that believes only what Darkroom has signed: PORT=9000 DARKROOM_WEBHOOK_SECRET=whsec_… node receiver.ts
//
// Standard Webhooks: HMAC-SHA256 over id, time and the bytes of the body. Libraries for it exist in most languages.

import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingHttpHeaders } from 'node:http';

const { PORT = '9000', DARKROOM_WEBHOOK_SECRET = '' } = process.env;
const secret = Buffer.from(DARKROOM_WEBHOOK_SECRET.replace(/^whsec_/, ''), 'base64');
if (secret.length === 0) throw new Error('Set DARKROOM_WEBHOOK_SECRET: an empty one would believe everybody.');
const tolerance = 5 * 60;
/** A call whose answer got lost comes again under the same id. Keep these where they outlast a restart. */
const known = new Set<string>();

createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = Buffer.concat(chunks);
    const id = request.headers['webhook-id'];
    if (typeof id !== 'string' || !isSigned(id, request.headers, body)) {
      console.log('refused: not signed by our Darkroom');
      response.writeHead(401).end();
      return;
    }
    // Answer first and work afterwards: whoever takes too long is called again.
    response.writeHead(204).end();
    if (known.has(id)) return;
    known.add(id);
    const event = JSON.parse(body.toString()) as { type: string; data: { batch_id: string } };
    console.log(`${event.type} ${event.data.batch_id}`);
  });
}).listen(Number(PORT), '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${PORT}`));

function isSigned(id: string, headers: IncomingHttpHeaders, body: Buffer): boolean {
  const time = String(headers['webhook-timestamp']);
  // An old call that was overheard proves nothing.
  if (!(Math.abs(Date.now() / 1000 - Number(time)) < tolerance)) return false;
  const expected = createHmac('sha256', secret).update(`${id}.${time}.`).update(body).digest();
  // While a secret is rotated two signatures come, with a blank between them.
  return String(headers['webhook-signature'])
    .split(' ')
    .map((each) => Buffer.from(each.replace(/^v1,/, ''), 'base64'))
    .some((given) => given.length === expected.length && timingSafeEqual(given, expected));
}
