// load.ts — a client that asks a server, and how long each answer took: one after the other, many at once, or by a clock.
//
// Keep-alive connections of undici's own pool. By a clock means: a question is due at its time whether or not the last one
// was answered, and what it waits for counts; a client that waits for each answer would ask less just when it is slow.

import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';

export type Client = {
  /** Sends and reads the whole answer; throws unless it is 2xx. */
  get(path: string): Promise<string>;
  post(path: string, body: object): Promise<string>;
  close(): Promise<void>;
};

export function openClient(url: string, connections = 1): Client {
  const pool = new Pool(url, { connections, pipelining: 1, headersTimeout: 120_000, bodyTimeout: 120_000 });
  const ask = async (method: 'GET' | 'POST', path: string, body?: object): Promise<string> => {
    const sent = body ? { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } } : {};
    const response = await pool.request({ method, path, ...sent });
    const text = await response.body.text();
    if (response.statusCode >= 300) throw new Error(`${method} ${path} answered ${response.statusCode}: ${text}`);
    return text;
  };
  return {
    get: (path) => ask('GET', path),
    post: (path, body) => ask('POST', path, body),
    close: () => pool.destroy(),
  };
}

type Work = (index: number) => Promise<unknown>;

/** `times` one after the other; ms of each. */
export async function serially(times: number, work: Work): Promise<number[]> {
  const taken: number[] = [];
  for (let index = 0; index < times; index++) {
    const begin = performance.now();
    await work(index);
    taken.push(performance.now() - begin);
  }
  return taken;
}

/** `inFlight` at once for `ms`; how many ended in a second. */
export async function together(inFlight: number, ms: number, work: Work): Promise<number> {
  const begin = performance.now();
  let next = 0;
  let done = 0;
  const keepOn = async () => {
    while (performance.now() - begin < ms) {
      await work(next++);
      done++;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, keepOn));
  return (done * 1000) / (performance.now() - begin);
}

/** `perSecond` for `ms`, each at its time; ms from that time to its answer. */
export async function byTheClock(perSecond: number, ms: number, work: Work): Promise<number[]> {
  const begin = performance.now();
  const asked: Promise<number>[] = [];
  for (let index = 0; (index * 1000) / perSecond < ms; index++) {
    const due = begin + (index * 1000) / perSecond;
    const wait = due - performance.now();
    if (wait > 0) await sleep(wait);
    asked.push(work(index).then(() => performance.now() - due));
  }
  return Promise.all(asked);
}
