// services.ts — Vitest's globalSetup: starts the servers that tests need, tells what it found and what it could not run.
//
// A missing server is a skip with a name; with CI or DARKROOM_TEST_STRICT=1 it fails the run. A further service is one
// more line in `services` and one more key in ProvidedContext.

import { execFileSync } from 'node:child_process';
import type { TestProject } from 'vitest/node';
import { findChromium } from './browser.ts';
import { startPostgres, versionOf } from './postgres.ts';
import { givenRabbitmq, rabbitmqProgram } from './rabbitmq.ts';
import { givenRedis, redisProgram } from './redis.ts';

declare module 'vitest' {
  // oxlint-disable-next-line typescript/consistent-type-definitions -- only an interface adds to Vitest's own
  export interface ProvidedContext {
    /** '' when there is no PostgreSQL. */
    postgresUrl: string;
    /** The program; '' when there is none. */
    chromium: string;
  }
}

type Running = { url: string; source: string; version: string; stop: () => Promise<void> };
type Key = 'postgresUrl' | 'chromium';
type Service = { name: string; key?: Key; start: () => Promise<Running | undefined>; install: string };

const services: Service[] = [
  {
    name: 'PostgreSQL',
    key: 'postgresUrl',
    start: async () => (await given('DARKROOM_TEST_POSTGRES_URL', versionOf)) ?? startPostgres(),
    install: 'Install it (Debian: apt-get install postgresql), or set DARKROOM_TEST_POSTGRES_URL.',
  },
  {
    name: 'Redis',
    start: async () => foundProgram(redisProgram, givenRedis && 'DARKROOM_TEST_REDIS_URL'),
    install: 'Install it (Debian: apt-get install redis-server).',
  },
  {
    name: 'RabbitMQ',
    start: async () => foundProgram(rabbitmqProgram, givenRabbitmq && 'DARKROOM_TEST_RABBITMQ_URL'),
    install: 'Install it (Debian: apt-get install rabbitmq-server).',
  },
  {
    name: 'Chromium',
    key: 'chromium',
    start: async () => foundChromium(),
    install: 'Install it (Debian: apt-get install chromium), or set DARKROOM_TEST_CHROMIUM.',
  },
];

/** Only looked for: the files that need one start their own and kill it. `named` is where those that do not find another. */
function foundProgram(path: string | undefined, named: string): Running | undefined {
  if (path === undefined) return undefined;
  const source = named ? `${path}, and ${named} where it stays alive` : path;
  return { url: path, source, version: 'there', stop: async () => {} };
}

/** Only looked for: the files that test the page start it themselves. */
function foundChromium(): Running | undefined {
  const path = findChromium();
  if (path === undefined) return undefined;
  const version = /[\d.]+/.exec(execFileSync(path, ['--version'], { encoding: 'utf8', stdio: 'pipe' }))?.[0] ?? '?';
  return { url: path, source: path, version, stop: async () => {} };
}

/** Starts all; the function it returns ends them when the last test has ended. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const found = await Promise.all(services.map(async (service) => ({ service, running: await service.start() })));
  console.log(`\n${row('service', 'version', 'source')}`);
  for (const { service, running } of found) {
    if (service.key) project.provide(service.key, running?.url ?? '');
    console.log(row(service.name, running?.version ?? '-', running?.source ?? 'missing, its tests are skipped'));
  }
  console.log('');
  const missing = found.filter(({ running }) => !running).map(({ service }) => service);
  const stop = async () => {
    await Promise.all(found.map(async ({ running }) => running?.stop()));
  };
  if (missing.length > 0 && (process.env.CI || process.env.DARKROOM_TEST_STRICT === '1')) {
    await stop();
    throw new Error(missing.map(({ name, install }) => `There is no ${name}. ${install}`).join('\n'));
  }
  return async () => {
    await stop();
    for (const { name, install } of missing) console.log(`Tests skipped: no ${name}. ${install}`);
  };
}

/** A server that somebody else runs and we do not stop. */
async function given(variable: string, version: (url: string) => Promise<string>): Promise<Running | undefined> {
  const url = process.env[variable];
  return url ? { url, source: variable, version: await version(url), stop: async () => {} } : undefined;
}

function row(...cells: string[]): string {
  return `  ${cells.map((cell) => cell.padEnd(12)).join('  ')}`.trimEnd();
}
