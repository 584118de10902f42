// architecture.test.ts — the fences of the house: who imports whom, how long a file may be, what must be documented.
//
// Each rule is a function over a path and a text (test/architecture/), so it is tried twice: on every file that we
// have, and on a violation planted here, because a rule that can no longer turn red protects nothing.

import { describe, expect, test } from 'vitest';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as files from './architecture/files.ts';
import * as rooms from './architecture/rooms.ts';
import { faultsIn, root, sourcesIn, type Rule, type Source } from './architecture/source.ts';
import { nothingIsHidden, testNamesAreUnique } from './architecture/tests.ts';

const src = sourcesIn('src/**/*.ts');
const tests = sourcesIn('test/**/*.test.ts');
const code = sourcesIn('{src,test,bench,chaos,scripts,bin,web}/**/*.{ts,mjs,js,svelte,css}');
const decisions = sourcesIn('docs/decisions/*.md');

const source = (path: string, text: string): Source => ({ path, text });

type Fence = { name: string; rule: Rule; over: Source[]; planted: Source[]; innocent?: Source[] };

const fences: Fence[] = [
  {
    name: 'imports go only where the table of rooms allows',
    rule: rooms.importsStayInTheirRooms,
    over: src,
    planted: [
      source('src/surfaces/catalog.ts', `import { openDatabase } from '../db/open.ts';`),
      source('src/queue/database.ts', `import type { Batch } from '../batches/model.ts';`),
      source('src/imaging/plan.ts', `export { fetchSource } from '../egress/client.ts';`),
      source('src/batches/work.ts', `const { openDisk } = await import('../storage/disk.ts');`),
      source('src/http/live.ts', `type Batch = import('../batches/submit.ts').Batch;`),
      source('src/extras/more.ts', `export const one = 1;`),
    ],
    innocent: [source('src/batches/work.ts', `import type { Storage } from '../storage/storage.ts';`)],
  },
  {
    name: 'sharp runs in the sandbox child alone',
    rule: rooms.sharpRunsInTheChild,
    over: src,
    planted: [
      source('src/surfaces/images.ts', `import sharp from 'sharp';`),
      source('src/imaging/sandbox.ts', `const sharp = await import('sharp');`),
    ],
    innocent: [source('src/imaging/operations/blur.ts', `import type { Sharp } from 'sharp';`)],
  },
  {
    name: 'the environment is read in config.ts and main.ts alone',
    rule: rooms.environmentIsReadOnce,
    over: src,
    planted: [
      source('src/egress/client.ts', `const level = process.env.DARKROOM_LOG_LEVEL;`),
      source('src/egress/client.ts', `import { env } from 'node:process';`),
    ],
    innocent: [source('src/main.ts', `start(process.env);`)],
  },
  {
    name: 'only egress, the server, the command line and drivers open connections',
    rule: rooms.networkGoesThroughEgress,
    over: src,
    planted: [
      source('src/batches/work.ts', `import { request } from 'undici';`),
      source('src/notify/webhooks.ts', `import { connect } from 'node:tls';`),
      source('src/surfaces/tasks.ts', `const answer = await fetch(url);`),
    ],
    innocent: [
      source('src/egress/client.ts', `import { Agent } from 'undici';`),
      source('src/batches/work.ts', `const found = await app.egress.fetch(url);`),
    ],
  },
  {
    name: 'values reach SQL as parameters',
    rule: rooms.sqlTakesParameters,
    over: src,
    planted: [source('src/batches/read.ts', 'const order = sql.raw(column);'), source('src/db/x.ts', 'sql.lit(name)')],
    innocent: [source('src/db/migrations/0001.ts', 'sql.raw(text)')],
  },
  {
    name: 'no file is longer than 300 lines',
    rule: files.filesAreShort,
    over: code,
    planted: [source('src/batches/store.ts', 'x;\n'.repeat(301))],
    innocent: [source('src/batches/store.ts', 'x;\n'.repeat(300))],
  },
  {
    name: 'every file but a test opens with its promise',
    rule: files.filesOpenWithTheirPromise,
    over: code.filter((each) => !each.path.endsWith('.test.ts')),
    planted: [
      source('src/batches/settle.ts', `import { sql } from 'kysely';`),
      source('src/batches/settle.ts', '// claim.ts — hands out images to workers.'),
      source('src/batches/settle.ts', '// settle.ts — '),
    ],
    innocent: [source('bin/darkroom.mjs', '#!/usr/bin/env node\n// darkroom.mjs — the command, under whatever Node.')],
  },
  {
    name: 'no file bears a name that fits anything',
    rule: files.namesSaySomething,
    over: code,
    planted: [
      source('src/batches/utils.ts', ''),
      source('test/helpers/open.ts', ''),
      source('test/common.test.ts', ''),
    ],
    innocent: [source('test/services/postgres.ts', '')],
  },
  {
    name: 'every TODO names its issue',
    rule: files.todosNameTheirIssue,
    over: code.filter((each) => !each.path.startsWith('test/architecture')),
    planted: [source('src/queue/database.ts', '// TODO make it faster')],
    innocent: [source('src/queue/database.ts', '// TODO #17: one ticket for many images')],
  },
  {
    name: 'a silenced finding carries its reason',
    rule: files.silencedFindingsCarryAReason,
    over: code.filter((each) => !each.path.startsWith('test/architecture')),
    planted: [
      source('src/a.ts', '/* oxlint-disable */'),
      source('src/a.ts', '// oxlint-disable-next-line no-control-regex'),
      source('src/a.ts', '// @ts-ignore'),
    ],
    innocent: [
      source('src/a.ts', '// oxlint-disable-next-line no-control-regex -- control characters are what is searched'),
    ],
  },
  {
    name: 'test names are unique within their file',
    rule: testNamesAreUnique,
    over: tests,
    planted: [source('test/a.test.ts', `test('one', () => {}); test.skipIf(x)('one', () => {});`)],
    innocent: [
      source('test/a.test.ts', `describe('a', () => { it('one', f); }); describe('b', () => { it('one', f); });`),
    ],
  },
  {
    name: 'no test is hidden without a condition',
    rule: nothingIsHidden,
    over: tests,
    planted: [
      source('test/a.test.ts', `test.only('one', () => {});`),
      source('test/a.test.ts', `describe.skip('one', () => {});`),
      source('test/a.test.ts', `it.concurrent.skip('one', () => {});`),
    ],
    innocent: [source('test/a.test.ts', `test.skipIf(!redis)('one', () => {});`)],
  },
  {
    name: 'a decision record fits on a page and has its four sections',
    rule: files.decisionsAreShort,
    over: decisions,
    planted: [
      source('docs/decisions/0001-x.md', `# X\n\n${'line\n'.repeat(45)}`),
      source(
        'docs/decisions/why-x.md',
        '# X\n\n## Situation\n## Decision\n## Why not the others\n## What would change our mind',
      ),
    ],
  },
];

describe.each(fences)('$name', ({ rule, over, planted, innocent = [] }) => {
  test('in every file we have', () => {
    expect(over).not.toEqual([]);
    expect(faultsIn(over, rule)).toEqual([]);
  });

  test.each(planted)('sees the violation %$ planted in $path', (violation) => {
    expect(faultsIn([violation], rule)).not.toEqual([]);
  });

  test.each(innocent)('lets the innocent $path pass (%$)', (allowed) => {
    expect(faultsIn([allowed], rule)).toEqual([]);
  });
});

test('scripts that run before the installation use nothing but node: and each other', () => {
  const early = sourcesIn('scripts/*.mjs', 'bin/*.mjs');
  const foreign = early.flatMap((each) =>
    [...each.text.matchAll(/\bfrom '([^']+)'/g)]
      .map((match) => match[1] ?? '')
      .filter((name) => !/^(node:|\.\/\w+\.mjs$)/.test(name)),
  );
  expect(foreign).toEqual([]);
  expect(readFileSync(join(root, 'scripts/setup.mjs'), 'utf8').split('\n').length).toBeLessThanOrEqual(151);
});
