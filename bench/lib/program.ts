// program.ts — Darkroom's own program as a process: started on an environment in which nothing else is set, ended by pid.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export type Program = {
  pid: number;
  ended(): boolean;
  /** The last lines it printed, for whoever must say why it ended. */
  tail(): string;
  /** Sends the signal and waits for the end; after 10 s without one it is killed. */
  end(signal: NodeJS.Signals): Promise<void>;
};

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** Runs `darkroom <args>`; what it prints goes to the file `log`. */
export function runProgram(args: string[], environment: Record<string, string>, log: string): Program {
  const file = openSync(log, 'w');
  const child = spawn(process.execPath, [main, ...args], {
    env: { PATH: process.env.PATH ?? '', ...environment },
    stdio: ['ignore', file, file],
  });
  closeSync(file);
  const ended = () => child.exitCode !== null || child.signalCode !== null;
  // A harness that dies must not leave a server behind.
  const leave = () => child.kill('SIGKILL');
  process.once('exit', leave);
  child.once('exit', () => process.off('exit', leave));
  return {
    pid: child.pid ?? 0,
    ended,
    tail: () => readFileSync(log, 'utf8').trimEnd().split('\n').slice(-15).join('\n'),
    async end(signal) {
      if (ended()) return;
      const gone = once(child, 'exit');
      child.kill(signal);
      const late = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await gone;
      clearTimeout(late);
    },
  };
}
