// consumer-process.ts — starts a process that takes tickets in hand and holds them, and kills it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

export type ConsumerProcess = AsyncDisposable & {
  /** The ids that it has in hand. */
  said(): string[];
  kill(): Promise<void>;
};

export async function startConsumer(options: {
  url: string;
  instance: string;
  silentMs: number;
}): Promise<ConsumerProcess> {
  const { url, instance, silentMs } = options;
  const program = join(import.meta.dirname, 'ticket-hoarder.ts');
  const child = spawn(process.execPath, [program, url, instance, String(silentMs)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += String(chunk)));
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  return { said: () => text.trim().split('\n'), kill, [Symbol.asyncDispose]: kill };
}
