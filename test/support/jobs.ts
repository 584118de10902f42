// jobs.ts — speaks D to a running service: sends jobs, waits for their end, looks at what came out.

import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { expect } from 'vitest';
import type { Reply, Served } from './served.ts';

export const jobIntake = '/api/v1/images/process';
export const jobPath = (id: string): string => `/api/v1/images/jobs/${id}`;
/** An id that no row has. */
export const unknownId = '01991111-1111-7111-8111-111111111111';

/** `served` is asked anew each time: a test file has it only once its `beforeAll` has run. */
export function jobsOn(served: () => Pick<Served, 'ask' | 'url'>) {
  const post = (body: string, headers: Record<string, string> = {}) =>
    served().ask(jobIntake, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } });
  const submit = (body: unknown, headers?: Record<string, string>) => post(JSON.stringify(body), headers);
  /** Waits for the end of a job and gives every status that was seen on the way. */
  async function wordsUntilEnd(id: string): Promise<Set<string>> {
    const words = new Set<string>();
    for (const until = performance.now() + 30_000; performance.now() < until; await sleep(50)) {
      const { json } = await served().ask(jobPath(id));
      words.add(json.status);
      if (json.status === 'COMPLETED' || json.status === 'FAILED') return words;
    }
    throw new Error(`job ${id} has not ended after 30 s`);
  }
  const finish = async (id: string) => {
    await wordsUntilEnd(id);
    return (await served().ask(jobPath(id))).json;
  };
  const run = async (imageUrl: string, transformations?: string[]) => {
    const reply = await submit({ imageUrl, ...(transformations && { transformations }) });
    expect([transformations, reply.status]).toEqual([transformations, 202]);
    return finish(reply.json.jobId);
  };
  /** The bytes behind a URL that the service has named: it speaks of itself as localhost. */
  const bytesAt = async (url: string) => {
    const answer = await fetch(served().url + new URL(url).pathname);
    expect(answer.status).toBe(200);
    return Buffer.from(await answer.arrayBuffer());
  };
  const sizeAt = async (url: string) => {
    const { format, width, height, channels } = await sharp(await bytesAt(url)).metadata();
    return { format, width, height, channels };
  };
  return { post, submit, wordsUntilEnd, finish, run, bytesAt, sizeAt };
}

/** Type and place of every fault of a 422 of D and E, in the order of the alphabet. */
export async function faultsOf(reply: Promise<Reply>): Promise<string[][]> {
  const { status, json } = await reply;
  expect(status).toBe(422);
  const faults = (json.detail as { type: string; loc: unknown[] }[]).map(({ type, loc }) => [type, loc.join('.')]);
  return faults.toSorted((a, b) => (a.join() < b.join() ? -1 : 1));
}

/** A picture of one colour. */
export const flat = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: '#7a5c3e' } });
