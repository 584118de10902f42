// side.ts — one side of a comparison as a process of its own, asked by messages.
//
// A side lives through all its laps, so that its start is not in any of them, and its CPU can be read from /proc before
// and after. It ends with the harness: when the channel closes, it has nobody to work for.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** What a side can be asked: for each name the shape of the question and of the answer. */
type Requests = Record<string, { ask: object; reply: object }>;

export type Side<R extends Requests> = {
  pid: number;
  ask<Name extends keyof R & string>(name: Name, ask: R[Name]['ask']): Promise<R[Name]['reply']>;
  stop(): Promise<void>;
};

type Question = { id: number; name: string; ask: object };
type Reply = { id: number; reply?: object; error?: string };

/** Starts `program` (relative to bench/) with Node and these additions to its environment. */
export function openSide<R extends Requests>(program: string, environment: Record<string, string> = {}): Side<R> {
  const child = spawn(process.execPath, [fileURLToPath(new URL(`../${program}`, import.meta.url))], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, ...environment },
    serialization: 'advanced',
  });
  const waiting = new Map<number, { resolve: (reply: object) => void; reject: (error: Error) => void }>();
  let last = 0;
  child.on('message', ({ id, reply, error }: Reply) => {
    const question = waiting.get(id);
    waiting.delete(id);
    if (error !== undefined) question?.reject(new Error(`${program}: ${error}`));
    else question?.resolve(reply ?? {});
  });
  child.on('exit', (code, signal) => {
    for (const each of waiting.values()) each.reject(new Error(`${program} ended with ${code ?? signal}`));
    waiting.clear();
  });
  return {
    pid: child.pid ?? 0,
    // The names tie each answer to its question; the channel itself carries plain objects.
    ask: (name, ask) =>
      new Promise((resolve, reject) => {
        waiting.set(++last, { resolve, reject });
        child.send({ id: last, name, ask } satisfies Question, (error) => error && reject(error));
      }) as never,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

/** The other end: answers each question with what its handler gives. */
export function answer<R extends Requests>(handlers: {
  [Name in keyof R]: (ask: R[Name]['ask']) => Promise<R[Name]['reply']>;
}): void {
  const handle = async ({ id, name, ask }: Question): Promise<Reply> => {
    const handler = handlers[name];
    if (!handler) return { id, error: `nobody answers "${name}"` };
    try {
      return { id, reply: await handler(ask) };
    } catch (error) {
      return { id, error: (error as Error).stack ?? String(error) };
    }
  };
  // A harness that has been interrupted hears no answer any more.
  const send = (reply: Reply) => process.send?.(reply, () => {});
  process.on('message', (question: Question) => void handle(question).then(send));
  process.on('disconnect', () => process.exit());
}
