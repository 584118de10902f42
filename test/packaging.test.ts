// packaging.test.ts — the Dockerfile, compose.yaml and the units of systemd, judged without an engine that would run them.

import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DCLinter } from 'dclint';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { readConfig } from '../src/config.ts';
import { runCommand } from '../src/cli/index.ts';
import { seedDataDir } from './support/databases.ts';
import { freePort, startProduct } from './support/product.ts';

const root = join(import.meta.dirname, '..');
const textOf = (path: string) => readFileSync(join(root, path), 'utf8');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'darkroom-packaging-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Whether the command line takes these words: the command is known, and so is each of its flags. */
async function unknownWords(words: string[]): Promise<string[]> {
  const [command = '', ...flags] = words;
  let help = '';
  const sink = { write: (text: string) => (help += text) };
  const session = { env: {}, out: sink, err: sink, onStop: () => () => {}, exit: () => {} };
  if ((await runCommand([command, '--help'], session)) !== 0) return [command];
  return flags.filter((flag) => flag.startsWith('--') && !help.includes(`${flag} `) && !help.includes(`${flag}\n`));
}

/** Names of settings that a start would not know. */
function unknownSettings(names: string[]): string[] {
  const known = new Set(readConfig({}).rows.flatMap((row) => [row.name]));
  return names.filter((name) => !known.has(name) && name !== 'NODE_ENV');
}

describe('compose.yaml', () => {
  type Service = {
    image?: string;
    build?: string;
    container_name?: string;
    command?: string[];
    ports?: string[];
    environment?: Record<string, string>;
    profiles?: string[];
    depends_on?: Record<string, { condition: string }>;
    healthcheck?: { test: string[] };
    deploy?: { replicas: number };
    volumes?: string[];
  };
  const compose = parse(textOf('compose.yaml'), { merge: true }) as {
    services: Record<string, Service>;
    volumes: Record<string, unknown>;
  };
  const { api, db, redis, rabbitmq, worker } = compose.services;
  const linter = new DCLinter({ rules: {}, quiet: false, debug: false, exclude: [] });
  // Its own declarations lose the type on the way.
  const findings = (path: string) =>
    linter.lintFiles([path], false) as { errorCount: number; messages: { message: string }[] }[];

  test('has no finding of the linter, and a planted mistake has one', () => {
    expect(findings(join(root, 'compose.yaml')).flatMap(({ messages }) => messages)).toEqual([]);
    const planted = join(folder, 'compose.yaml');
    writeFileSync(planted, textOf('compose.yaml').replace('depends_on:', 'depnds_on:'));
    expect(findings(planted).reduce((sum, { errorCount }) => sum + errorCount, 0)).toBeGreaterThan(0);
  });

  test('names what README A connects to, and publishes nothing beyond this machine', () => {
    expect(db).toMatchObject({
      container_name: 'db',
      environment: { POSTGRES_USER: 'admin', POSTGRES_DB: 'image-db' },
    });
    const published = Object.values(compose.services).flatMap(({ ports = [] }) => ports);
    expect(published.toSorted()).toEqual(['127.0.0.1:5173:8000', '127.0.0.1:8000:8000']);
  });

  test('starts an API and two workers on PostgreSQL, and a broker only when asked for', () => {
    expect(api?.command?.slice(2)).toEqual(['serve', '--no-worker', '--insecure-no-auth']);
    expect(worker).toMatchObject({ deploy: { replicas: 2 }, depends_on: { db: { condition: 'service_healthy' } } });
    expect([redis?.profiles, rabbitmq?.profiles]).toEqual([['redis'], ['rabbitmq']]);
    expect([api?.profiles, db?.profiles, worker?.profiles]).toEqual([undefined, undefined, undefined]);
    for (const service of [db, redis, rabbitmq, worker]) expect(service?.healthcheck?.test[0]).toBe('CMD');
    const named = Object.values(compose.services).flatMap(({ volumes = [] }) =>
      volumes.map((each) => each.split(':')[0]),
    );
    expect(named.filter((name) => name === undefined || !(name in compose.volumes))).toEqual([]);
  });

  test('sets only what is a setting, and each command is one', async () => {
    for (const service of [api, worker]) {
      expect(unknownSettings(Object.keys(service?.environment ?? {}))).toEqual([]);
      expect(service?.command?.slice(0, 2)).toEqual(['node', 'src/main.ts']);
      expect(await unknownWords(service?.command?.slice(2) ?? [])).toEqual([]);
    }
    expect(unknownSettings(['DARKROOM_SLOT'])).toEqual(['DARKROOM_SLOT']);
    expect(await unknownWords(['serve', '--no-wrker'])).toEqual(['--no-wrker']);
  });

  test('needs no .env: every variable has a default, and with it the settings are well-formed', () => {
    const filled = textOf('compose.yaml').replaceAll(/\$\{(\w+)(?::-([^}]*))?\}/g, (_whole, name: string, initial) => {
      if (initial === undefined) throw new Error(`${name} has no default`);
      return String(initial);
    });
    const { services } = parse(filled, { merge: true }) as typeof compose;
    for (const { environment } of [services.api!, services.worker!])
      expect(readConfig(environment ?? {}).config.databaseUrl).toBe('postgres://admin:admin@db:5432/image-db');
  });
});

type Instruction = { name: string; words: string };

/** The instructions of each stage, continued lines joined. */
function stagesOf(text: string): Instruction[][] {
  const lines = text.replaceAll(/\\\n/g, ' ').split('\n');
  const stages: Instruction[][] = [];
  for (const line of lines) {
    const [, name, words = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
    if (name === 'FROM') stages.push([]);
    if (name !== undefined) stages.at(-1)?.push({ name, words });
  }
  return stages;
}

describe('Dockerfile', () => {
  const stages = stagesOf(textOf('Dockerfile'));
  const last = stages.at(-1) ?? [];
  const valuesOf = (name: string) => last.filter((each) => each.name === name).map(({ words }) => words);

  test('ends as a user of its own, with a health check, an exec form and no secret', () => {
    expect(valuesOf('USER')).toEqual(['10001:10001']);
    expect(valuesOf('CMD').map((words) => JSON.parse(words))).toEqual([['node', 'src/main.ts', 'serve']]);
    expect(valuesOf('HEALTHCHECK').join()).toMatch(/CMD \["node", "-e"/);
    expect(textOf('Dockerfile')).not.toMatch(/drk_|whsec_|PASSWORD|SECRET|TOKEN/);
    expect(textOf('.dockerignore').split('\n')).toEqual(expect.arrayContaining(['.env', 'data', 'node_modules']));
  });

  test('copies only what is there', () => {
    const copied = stages
      .flat()
      .filter(({ name, words }) => name === 'COPY' && !words.startsWith('--from='))
      .flatMap(({ words }) => words.split(/\s+/).slice(0, -1));
    expect(copied.filter((path) => !existsSync(join(root, path)))).toEqual([]);
    expect(copied.length).toBeGreaterThan(5);
  });

  test('holds all that the program needs: what it copies, with production packages alone, starts and is healthy', async () => {
    for (const words of valuesOf('COPY')) {
      const [from, ...paths] = words.replace(/^--from=web \/app\//, '').split(/\s+/);
      const sources = [from ?? '', ...paths.slice(0, -1)];
      for (const path of sources) if (existsSync(join(root, path))) copyInto(path);
    }
    linkProductionPackages();
    const port = await freePort();
    const environment = Object.fromEntries(
      valuesOf('ENV').flatMap((words) => words.split(' ').map((pair) => pair.split('='))),
    );
    const [, , ...args] = JSON.parse(valuesOf('CMD')[0] ?? '[]') as string[];
    const dataDir = join(folder, 'data');
    await seedDataDir(dataDir);
    const env = { ...environment, HOST: '127.0.0.1', DATA_DIR: dataDir };
    const product = await startProduct({ program: folder, dataDir, port, env, args });
    const probe = /CMD (\[.*\])$/.exec(valuesOf('HEALTHCHECK')[0] ?? '')?.[1] ?? '[]';
    const [, ...check] = JSON.parse(probe) as string[];
    execFileSync(process.execPath, check, { env: { PORT: String(port) } });
    expect(() => execFileSync(process.execPath, check, { env: { PORT: '9' } })).toThrow('Command failed');
    expect(await product.end('SIGTERM')).toBe(0);
  });

  function copyInto(path: string): void {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    cpSync(join(root, path), join(folder, path), { recursive: true });
  }

  /** As `npm ci --omit=dev` would leave them. */
  function linkProductionPackages(): void {
    type Lock = { packages: Record<string, { dev?: boolean; devOptional?: boolean }> };
    const { packages } = JSON.parse(textOf('package-lock.json')) as Lock;
    for (const [path, { dev, devOptional }] of Object.entries(packages)) {
      if (!/^node_modules\/(@[^/]+\/)?[^/]+$/.test(path) || dev || devOptional || !existsSync(join(root, path)))
        continue;
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      symlinkSync(join(root, path), join(folder, path));
    }
  }
});

describe.skipIf(!existsSync('/usr/bin/systemd-analyze'))('the units of systemd', () => {
  const units = ['deploy/systemd/darkroom.service', 'deploy/systemd/darkroom-worker@.service'];
  const analyze = (...words: string[]) =>
    execFileSync('systemd-analyze', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

  test.each(units)('%s is understood without a word, and exposes little', (unit) => {
    const words = execFileSync('sh', ['-c', 'systemd-analyze verify --man=no "$1" 2>&1', 'sh', join(root, unit)], {
      encoding: 'utf8',
    });
    expect(words).toBe('');
    const score = /exposure level for \S+: ([\d.]+)/.exec(
      analyze('security', '--offline=true', '--no-pager', join(root, unit)),
    );
    expect(Number(score?.[1])).toBeLessThanOrEqual(2);
  });

  test.each(units)('%s sets only what is a setting, and runs a command', async (unit) => {
    const text = textOf(unit);
    const names = [...text.matchAll(/^Environment=(.*)$/gm)].flatMap(([, pairs = '']) =>
      pairs.split(' ').map((pair) => pair.split('=')[0] ?? ''),
    );
    expect(unknownSettings(names)).toEqual([]);
    const [, words = ''] = /^ExecStart=\/usr\/bin\/env node src\/main\.ts (.*)$/m.exec(text) ?? [];
    expect(await unknownWords(words.split(' '))).toEqual([]);
  });
});
