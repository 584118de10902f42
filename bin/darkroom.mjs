#!/usr/bin/env node
// darkroom.mjs — the command `darkroom`, under whatever Node it is called.
//
// Plain JavaScript, because an older Node must be able to read it: it then calls the Node that `npm start` installed.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const main = new URL('../src/main.ts', import.meta.url);
const bundled = fileURLToPath(new URL('../node_modules/node/bin/node', import.meta.url));

if (Number(process.versions.node.split('.')[0]) >= 24) {
  process.argv[1] = fileURLToPath(main);
  await import(main.href);
} else if (existsSync(bundled)) {
  const child = spawn(bundled, [fileURLToPath(main), ...process.argv.slice(2)], { stdio: 'inherit' });
  // Ctrl-C reaches the child by itself; what is sent to this process alone must be handed on.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => signal !== 'SIGINT' && child.kill(signal));
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (signal === 'SIGKILL' ? 9 : 15);
  });
} else {
  console.error(
    'Darkroom needs Node 24: run `npm start` or `node scripts/setup.mjs` in its folder once, which brings it.',
  );
  process.exitCode = 1;
}
