// clone.ts — a small clone in a temporary folder on which the setup can be tried without a network.
//
// Its npm is a stand-in at the rim: it writes down how it was called and makes node_modules as the real one would. Its
// Node is one of any version one likes.

import { execFile } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const repository = join(import.meta.dirname, '../..');

/** Stands in for npm: appends its arguments to npm.log, then does what `npm ci` leaves behind. */
const npmCli = `
const { appendFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const args = process.argv.slice(2);
appendFileSync(join(__dirname, '../npm.log'), JSON.stringify({ args, cwd: process.cwd() }) + '\\n');
if (process.env.NPM_FAILS) { console.error('npm error network unreachable'); process.exit(1); }
setTimeout(() => {
  rmSync('node_modules', { recursive: true, force: true });
  mkdirSync('node_modules/.bin', { recursive: true });
  const version = process.env.NODE_BROUGHT ?? 'v24.21.0';
  writeFileSync('node_modules/.bin/node', '#!/bin/sh\\necho ' + version + '\\n', { mode: 0o755 });
}, Number(process.env.NPM_TAKES ?? 0));
`;

export type Clone = {
  folder: string;
  /** Runs setup.mjs; never rejects. */
  setup(args?: string[], env?: Record<string, string>): Promise<{ code: number; out: string; err: string }>;
  npmCalls(): { args: string[]; cwd: string }[];
  write(path: string, text: string): void;
  exists(path: string): boolean;
  [Symbol.dispose](): void;
};

export function makeClone(): Clone {
  const folder = mkdtempSync(join(tmpdir(), 'darkroom-clone-'));
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  for (const path of ['scripts/setup.mjs', 'scripts/servers.mjs', 'scripts/redoc.mjs']) {
    write(path, '');
    copyFileSync(join(repository, path), join(folder, path));
  }
  write('npm/npm-cli.js', npmCli);
  write('package-lock.json', '{"lock": 1}');
  write('test/services/package-lock.json', '{"services": 1}');
  chmodSync(folder, 0o700);
  return {
    folder,
    write,
    exists: (path) => existsSync(join(folder, path)),
    npmCalls: () => readLines(join(folder, 'npm.log')),
    setup: (args = [], env = {}) => runSetup(folder, args, env),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function readLines(file: string): { args: string[]; cwd: string }[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line) as { args: string[]; cwd: string });
}

function runSetup(folder: string, args: string[], env: Record<string, string>) {
  const environment = {
    PATH: process.env.PATH,
    npm_execpath: join(folder, 'npm/npm-cli.js'),
    DARKROOM_TEST_INSTALL: '0',
    ...env,
  };
  return new Promise<{ code: number; out: string; err: string }>((resolve) => {
    execFile(process.execPath, [join(folder, 'scripts/setup.mjs'), ...args], { env: environment }, (error, out, err) =>
      resolve({ code: error ? Number(error.code ?? 1) : 0, out, err }),
    );
  });
}
