// waiting.ts — ?wait= and `Prefer: wait=`: answers that come when the work is done.

import type { Answering, Ask } from '../../http/http.ts';

const most = { seconds: 60, waiters: 1000 };
let waiters = 0;

/** How long the caller wants to wait; 0 when a thousand wait already, because each holds a connection. */
export function waitMsOf(request: Ask): number {
  const { wait } = request.query as { wait?: number };
  const [, preferred] = /(?:^|[,;\s])wait=(\d{1,4})/.exec(String(request.headers.prefer ?? '')) ?? [];
  const seconds = wait ?? Number(preferred ?? 0);
  return waiters >= most.waiters ? 0 : Math.min(seconds, most.seconds) * 1000;
}

/** Aborts when the caller hangs up; counts the waiter until then. */
export function waitSignal(reply: Answering): AbortSignal {
  const controller = new AbortController();
  waiters++;
  reply.raw.once('close', () => {
    waiters--;
    controller.abort();
  });
  return controller.signal;
}
