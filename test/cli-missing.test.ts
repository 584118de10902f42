// cli-missing.test.ts — an address that asks for an optional package that is not there: which one, and how it comes.

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { askedBy } from '../src/cli/missing.ts';
import { run, temporaryFolder } from './support/command.ts';
import { seedDataDir } from './support/databases.ts';

const sentenceOf = (setting: string, name: string): string =>
  `${setting} asks for the package ${name}, which is optional and not installed: \`npm ci --include=optional\` installs it.`;

/** Runs a command as on a machine where `npm ci --omit=optional` has left the packages out. */
async function runWithout(folder: string, words: string[], env: Record<string, string>) {
  const hook = `import { registerHooks } from 'node:module';
    const left = ${JSON.stringify(Object.keys(askedBy))};
    const elsewhere = { parentURL: 'file://${folder}/elsewhere.js' };
    registerHooks({ resolve: (name, context, next) =>
      next(name, left.includes(name) ? { ...context, ...elsewhere } : context) });`;
  await writeFile(join(folder, 'hook.mjs'), hook);
  const command = run(folder, words, { env, node: ['--import', join(folder, 'hook.mjs')] });
  return { code: await command.ended, out: command.out(), err: command.err() };
}

test('every optional package has a setting that asks for it', async () => {
  const { optionalDependencies } = JSON.parse(await readFile(join(import.meta.dirname, '../package.json'), 'utf8')) as {
    optionalDependencies: Record<string, string>;
  };
  expect(Object.keys(askedBy).toSorted()).toEqual(Object.keys(optionalDependencies).toSorted());
});

test('a start whose broker needs a package that is not installed ends with 1 and names it', async () => {
  await using folder = await temporaryFolder();
  await seedDataDir(join(folder.path, 'data'));
  const env = { QUEUE_URL: 'redis://127.0.0.1:9', PORT: '0' };
  const { code, err } = await runWithout(folder.path, ['serve'], env);
  expect([code, err]).toEqual([1, `${sentenceOf('QUEUE_URL', 'bullmq')}\n`]);
});

test('config check says the same of a broker and a bucket', async () => {
  await using folder = await temporaryFolder();
  const env = { QUEUE_URL: 'amqp://127.0.0.1:9', STORAGE_URL: 's3://bucket' };
  const { code, out } = await runWithout(folder.path, ['config', 'check'], env);
  expect(code).toBe(1);
  expect(out).toContain(`FAIL  queue       ${sentenceOf('QUEUE_URL', 'rabbitmq-client')}\n`);
  expect(out).toContain(`FAIL  storage     ${sentenceOf('STORAGE_URL', '@aws-sdk/client-s3')}\n`);
});
