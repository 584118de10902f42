// product.ts — the product as its users run it: a process of its own, started, killed and started again.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export type Product = {
  url: string;
  pid: number;
  /** Everything it has printed so far. */
  output: () => string;
  /** Sends the signal and waits until the process is gone; returns its exit code (null when a signal ended it). */
  end: (signal: NodeJS.Signals) => Promise<number | null>;
  /** Resolves when the process is gone, whoever ended it. */
  gone: Promise<unknown>;
};

export type ProductOptions = {
  dataDir: string;
  port: number;
  env?: Record<string, string>;
  args?: string[];
  /** Where the program lies, if not here. */
  program?: string;
  /** Called as soon as the process runs, long before it is ready. */
  onSpawn?: (product: Product) => void;
};

const root = join(import.meta.dirname, '../..');
const startMs = 60_000;

/** Starts `darkroom serve` and waits until it answers; throws with its output when it ends before that. */
export async function startProduct(options: ProductOptions): Promise<Product> {
  const { child, product } = spawnProduct({ args: ['serve'], ...options });
  await ready(child, product.url, product.output);
  return product;
}

/** Starts `darkroom worker` and waits until it says that it works. */
export async function startWorker(options: Omit<ProductOptions, 'args'>): Promise<Product> {
  const { child, product } = spawnProduct({ ...options, args: ['worker'] });
  while (!product.output().includes('images at a time')) {
    if (hasEnded(child)) throw new Error(`the worker ended with ${child.exitCode}:\n${product.output()}`);
    await sleep(25);
  }
  return product;
}

function spawnProduct(options: ProductOptions) {
  const { dataDir, port, env = {}, args = [], program = root, onSpawn = () => {} } = options;
  const child = spawn(process.execPath, ['src/main.ts', ...args], {
    cwd: program,
    env: { PATH: process.env.PATH ?? '', HOME: dataDir, DATA_DIR: dataDir, PORT: String(port), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const printed: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => printed.push(String(chunk)));
  const product: Product = {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    output: () => printed.join(''),
    end: (signal) => endProcess(child, signal),
    gone: once(child, 'exit'),
  };
  // A test that fails must not leave a server behind.
  const leave = () => child.kill('SIGKILL');
  process.once('exit', leave);
  child.once('exit', () => process.off('exit', leave));
  onSpawn(product);
  return { child, product };
}

async function ready(child: ChildProcess, url: string, output: () => string): Promise<void> {
  const until = performance.now() + startMs;
  while (performance.now() < until) {
    if (hasEnded(child)) throw new Error(`darkroom ended with ${child.exitCode}:\n${output()}`);
    const answer = await fetch(`${url}/readyz`).catch(() => undefined);
    if (answer?.ok) return;
    await sleep(25);
  }
  child.kill('SIGKILL');
  throw new Error(`darkroom was not ready after ${startMs / 1000} s:\n${output()}`);
}

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

async function endProcess(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (!hasEnded(child)) {
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }
  return child.exitCode;
}

/** A port that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
