// tasks.ts — speaks E to a running service: sends tasks, waits for their end, looks at what came out.

import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { expect } from 'vitest';
import { ended, type Served } from './served.ts';

export const taskPath = (id: string): string => `/api/v1/tasks/${id}`;
export const resultPath = (id: string): string => `/api/v1/results/${id}`;

type Form = Record<string, string | File>;

/** `served` is asked anew each time: a test file has it only once its `beforeAll` has run. */
export function tasksOn(served: () => Pick<Served, 'ask' | 'app'>) {
  const send = (form: Form, headers: Record<string, string> = {}) => served().ask('/api/v1/tasks', { form, headers });
  const finish = async (id: string) => {
    for (const until = performance.now() + 30_000; performance.now() < until; await sleep(30)) {
      const reply = await served().ask(taskPath(id));
      if (ended(reply)) return reply.json;
    }
    throw new Error(`task ${id} has not ended after 30 s`);
  };
  /** Sends a task that is taken, waits for its end, and gives its first answer. */
  const done = async (form: Form) => {
    const { status, json } = await send(form);
    expect([form, status]).toEqual([form, 202]);
    return { first: json, last: await finish(json.id) };
  };
  const result = async (id: string) => (await served().ask(resultPath(id))).json;
  const bytesOf = async (id: string) => Buffer.from((await result(id)).data, 'base64');
  /** What the result of a form is. */
  const run = async (form: Form) => {
    const { first, last } = await done(form);
    expect(last).toMatchObject({ status: 'completed', error: null });
    const { format, width, height, channels } = await sharp(await bytesOf(first.id)).metadata();
    return { format, width, height, channels };
  };
  /** How many files there are, by their rows and by storage; all tasks must have ended. */
  const kept = async () => {
    const rows = await served().app.db.query.selectFrom('files').select('name').execute();
    return [rows.length, (await served().app.storage.list(undefined, 1000)).length];
  };
  return { send, finish, done, result, bytesOf, run, kept };
}

export const pictureFile = (bytes: Buffer, name = 'picture.bin'): File => new File([Uint8Array.from(bytes)], name);

/** A picture with content: a flat one would be a few bytes long, and half of it still whole. */
export function noisy(width: number, height: number) {
  const pixels = Buffer.alloc(width * height * 3);
  for (let at = 0; at < pixels.length; at++) pixels[at] = (at / 900 + ((at * 7919) % 61)) % 256;
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}
