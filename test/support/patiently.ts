// patiently.ts — asks a server that was built without a port, again while it says that it is overloaded: a test machine
// may stand still for a second, and what is told then is right but not what a test asks about.

import { setTimeout as sleep } from 'node:timers/promises';
import type { InjectOptions, LightMyRequestResponse } from 'fastify';
import type { Http } from '../../src/http/http.ts';

const patienceMs = 30_000;

export async function askPatiently(http: Http, options: InjectOptions): Promise<LightMyRequestResponse> {
  const until = performance.now() + patienceMs;
  for (;;) {
    const reply = await http.inject(options);
    // The answer to HEAD has no body to say why.
    const isOverloaded = reply.statusCode === 503 && (reply.body === '' || reply.body.includes('overloaded'));
    if (!isOverloaded || performance.now() > until) return reply;
    await sleep(200);
  }
}
