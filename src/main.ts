// main.ts — where the program begins: prepares the process, reads the command line, and ends with its exit code.
//
// The environment enters here and is handed on; nothing else reads it. Command bodies load when they are called, so that
// `--help` answers before any library is read.

import { setFlagsFromString } from 'node:v8';
import { runCommand } from './cli/index.ts';

// Sources pass through as buffers outside the heap. Counted by themselves, V8 collects the whole heap for every 20 pictures,
// a third of this process's CPU; counted within its one limit, it hardly does.
setFlagsFromString('--external-memory-accounted-in-global-limit');
// V8 may learn from the first rows of a catalog that rows live long. From then on it makes them where only a collection of
// the whole heap finds them, and an output of a million rows grew this process by 200 MB.
setFlagsFromString('--no-allocation-site-pretenuring');

// What an attacker's JSON would climb up on does not exist in this process.
Reflect.deleteProperty(Object.prototype, '__proto__');
// Databases, secrets and pictures are nobody else's.
process.umask(0o077);

try {
  process.loadEnvFile();
} catch {
  // There is no .env, which is usual.
}

// Whoever reads our output may have seen enough, as `head` has: that ends us, as it would end any command.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(141);
});

let stops = 0;
const hearers = new Set<(times: number) => void>();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => {
    stops += 1;
    for (const hear of hearers) hear(stops);
    // Before a command listens, or while it does not, a signal simply ends the process.
    if (hearers.size === 0) process.exit(130);
  });

process.exitCode = await runCommand(process.argv.slice(2), {
  env: process.env,
  out: process.stdout,
  err: process.stderr,
  onStop(hear) {
    hearers.add(hear);
    return () => void hearers.delete(hear);
  },
  exit: (code) => process.exit(code),
});

// Whatever still holds the process open now was forgotten by somebody and must not keep it.
setTimeout(() => process.exit(), 2000).unref();
