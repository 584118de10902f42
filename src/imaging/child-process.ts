// child-process.ts — one sandbox child as the parent sees it: started poor, spoken to in frames, killed without asking.
//
// The child gets three variables, no readable file but its own code, no right to start programs, the lowest priority, and
// is the first the kernel ends when memory runs out.

import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants, setPriority } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Frame, frameHead, frameReader, type ParentFrame } from './protocol.ts';

/** Why a child ended. What it said or did itself is `crashed`; the others are what was done to it. */
export type Ending = 'crashed' | 'timeout' | 'memory' | 'aborted' | 'closed';

export class ChildEnded extends Error {
  override readonly name = 'ChildEnded';
  readonly ending: Ending;
  constructor(ending: Ending, detail: string) {
    super(detail);
    this.ending = ending;
  }
}

export type Child = {
  readonly pid: number;
  /** Images it was given. */
  served: number;
  /** How much of its life they used up, in images of a megapixel or more. */
  wear: number;
  /** Sends a frame; the payload stays the list of chunks it came in. */
  send(frame: ParentFrame, payload?: readonly Buffer[]): void;
  /** The next frame; throws {@link ChildEnded} when there will be none. */
  next(): Promise<Frame>;
  /** Ends it at once; the first reason counts. */
  kill(ending: Ending, detail?: string): void;
  /** Lets it end by itself: it reads the end of stdin. */
  retire(): void;
  readonly exited: Promise<void>;
  /** Resident memory in bytes. */
  memory(): number;
};

const maxResultBytes = 256 * 1024 * 1024;
const keptNoise = 8192;

/** Starts a child on `script`, which must answer with a `ready` frame first. */
export function startChild(script: string): Child {
  const command = [process.execPath, ...nodeFlags(script), script];
  // The shell brings variables of its own, which tell where we are.
  const prepare = 'ulimit -c 0; unset PWD OLDPWD SHLVL _; exec "$@"';
  const started = spawn('/bin/sh', ['-c', prepare, 'sh', ...command], {
    cwd: '/',
    env: { MALLOC_ARENA_MAX: '2', UV_THREADPOOL_SIZE: '2', LC_ALL: 'C' },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const pid = started.pid ?? 0;
  if (pid > 0) putLast(pid);
  const mail = mailbox();
  const memory = memoryOf(pid);
  const exit = Promise.withResolvers<void>();
  let ending: { why: Ending; detail: string } | undefined;
  let noise = '';

  const kill = (why: Ending, detail = why as string) => {
    ending ??= { why, detail };
    started.kill('SIGKILL');
  };
  const read = frameReader(maxResultBytes);
  started.stdout.on('data', (chunk: Buffer) => {
    if (ending) return;
    try {
      for (const frame of read(chunk)) {
        if (frame.header.type === 'memory') memory.report(frame.header.rss);
        else mail.put(frame);
      }
    } catch (error) {
      kill('crashed', `said what is no frame: ${(error as Error).message}`);
    }
  });
  started.stderr.on('data', (chunk: Buffer) => {
    if (noise.length < keptNoise) noise += chunk.toString('latin1', 0, keptNoise - noise.length);
  });
  // A dead child's pipe breaks; that it is dead comes through `exit`.
  started.stdin.on('error', () => {});
  const ended = (detail: string) => {
    memory.close();
    mail.end(
      new ChildEnded(ending?.why ?? 'crashed', ending?.detail ?? `${detail}${noise && `: ${noise.slice(-500)}`}`),
    );
    exit.resolve();
  };
  started.on('error', (error) => ended(error.message));
  started.on('close', (code, signal) => ended(`exited with ${signal ?? code}`));

  return {
    pid,
    served: 0,
    wear: 0,
    send(frame, payload = []) {
      const bytes = payload.reduce((sum, chunk) => sum + chunk.length, 0);
      // Corked, all chunks leave in one call; joining them first would copy every source once more.
      started.stdin.cork();
      started.stdin.write(frameHead(frame, bytes));
      for (const chunk of payload) started.stdin.write(chunk);
      started.stdin.uncork();
    },
    next: mail.take,
    kill,
    retire() {
      ending ??= { why: 'closed', detail: 'retired' };
      started.stdin.end();
      const late = setTimeout(() => started.kill('SIGKILL'), 2000);
      void exit.promise.then(() => clearTimeout(late));
    },
    exited: exit.promise,
    memory: memory.read,
  };
}

/** Frames in the order they came, for one reader. */
function mailbox() {
  const frames: Frame[] = [];
  let waiting: PromiseWithResolvers<Frame> | undefined;
  let over: Error | undefined;
  return {
    put(frame: Frame) {
      if (waiting) waiting.resolve(frame);
      else frames.push(frame);
      waiting = undefined;
    },
    end(error: Error) {
      over = error;
      waiting?.reject(error);
      waiting = undefined;
    },
    take(): Promise<Frame> {
      const frame = frames.shift();
      if (frame) return Promise.resolve(frame);
      if (over) return Promise.reject(over);
      waiting = Promise.withResolvers<Frame>();
      return waiting.promise;
    },
  };
}

function nodeFlags(script: string): string[] {
  const own = dirname(fileURLToPath(import.meta.url));
  // sharp, its native parts and what they load lie side by side, in our node_modules or in that of who installed us. Where
  // that folder is a link, Node looks at the link and at what it points to.
  const require = createRequire(import.meta.url);
  const sharp = require.resolve('sharp');
  const real = sharp.slice(0, sharp.lastIndexOf('node_modules') + 'node_modules'.length);
  const linked = require.resolve.paths('sharp')?.find((path) => existsSync(`${path}/sharp`)) ?? real;
  const readable = new Set([`${own}/`, `${real}/`, `${linked}/`, `${dirname(script)}/`]);
  return [
    '--no-warnings',
    '--permission',
    '--allow-addons',
    ...[...readable].map((path) => `--allow-fs-read=${path}`),
    '--max-old-space-size=256',
  ];
}

/** Lowest priority, and first to go when memory runs out. Done before Node has threads, which would keep theirs. */
function putLast(pid: number): void {
  try {
    setPriority(pid, constants.priority.PRIORITY_LOW);
    if (process.platform === 'linux') writeFileSync(`/proc/${pid}/oom_score_adj`, '1000');
  } catch {
    // It is gone already, or the system does not let us: the limits that matter do not rest on this.
  }
}

/** Resident memory from /proc, through one open file; elsewhere what the child reports. */
function memoryOf(pid: number) {
  const status = Buffer.alloc(4096);
  let reported = 0;
  let file = -1;
  try {
    if (process.platform === 'linux' && pid > 0) file = openSync(`/proc/${pid}/status`, 'r');
  } catch {
    // It is gone already; `exit` tells.
  }
  return {
    report(rss: unknown) {
      if (typeof rss === 'number') reported = rss;
    },
    read(): number {
      if (file < 0) return reported;
      try {
        const length = readSync(file, status, 0, status.length, 0);
        const found = /VmRSS:\s+(\d+) kB/.exec(status.toString('latin1', 0, length));
        return found ? Number(found[1]) * 1024 : 0;
      } catch {
        return 0;
      }
    },
    close() {
      if (file >= 0) closeSync(file);
      file = -1;
    },
  };
}
