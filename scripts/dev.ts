// dev.ts — the service and the page while one works on them: `npm run dev`.
//
// The service starts again after each change; the page stands on port 5173, where Vite swaps changed parts in place and
// hands every call of the API on to the service. Whoever ends first ends the other.

import { spawn } from 'node:child_process';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const commands = [
  ['--watch', 'src/main.ts', 'serve'],
  ['node_modules/vite/bin/vite.js', 'web'],
];

const children = commands.map((args) => spawn(process.execPath, args, { cwd: root, stdio: 'inherit' }));
for (const child of children)
  child.once('exit', (code) => {
    process.exitCode ??= code ?? 0;
    for (const other of children) other.kill();
  });
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => children.forEach((each) => each.kill(signal)));
