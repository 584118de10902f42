// versions.test.ts — an update without a pause: releases one minor apart work on the same tables, real processes of both.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { sql } from 'kysely';
import { afterEach, expect, test, vi } from 'vitest';
import { newId } from '../src/batches/ids.ts';
import { isApart, version } from '../src/version.ts';
import { databaseEngines, openTestDatabase } from './support/databases.ts';
import { openPictureSource } from './support/picture-source.ts';
import { freePort, startProduct, startWorker } from './support/product.ts';

const root = join(import.meta.dirname, '..');
const patience = { timeout: 60_000, interval: 50 };
const closers: (() => PromiseLike<unknown>)[] = [];
afterEach(async () => {
  for (let close = closers.pop(); close; close = closers.pop()) await close();
});

/** This program as a later release: another number, and an operation that is not known here. */
function makeNext(folder: string, number: string): string {
  const program = join(folder, 'next');
  for (const path of ['src', 'package.json']) cpSync(join(root, path), join(program, path), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(program, 'node_modules'));
  change(program, 'package.json', `"version": "${version}"`, `"version": "${number}"`);
  const operations = 'src/imaging/operations/';
  cpSync(join(program, operations, 'flip.ts'), join(program, operations, 'tumble.ts'));
  change(program, `${operations}tumble.ts`, "'flip'", "'tumble'");
  change(program, `${operations}tumble.ts`, 'const flip', 'const tumble');
  change(program, `${operations}index.ts`, '  flip,', '  flip,\n  tumble,');
  change(
    program,
    `${operations}index.ts`,
    "from './flip.ts';",
    "from './flip.ts';\nimport { tumble } from './tumble.ts';",
  );
  return program;
}

/** The tables of a release after that. */
function addMigration(program: string): void {
  const source = `import { sql } from 'kysely';
export const later = { async up(db) { await sql\`alter table images add column later text\`.execute(db); } };\n`;
  writeFileSync(join(program, 'src/db/migrations/9000-later.ts'), source);
  const index = 'src/db/migrations/index.ts';
  change(program, index, "'0001-tables': tables,", "'0001-tables': tables,\n  '9000-later': later,");
  change(program, index, 'import { tables }', "import { later } from './9000-later.ts';\nimport { tables }");
}

function change(program: string, path: string, from: string, to: string): void {
  const before = readFileSync(join(program, path), 'utf8');
  expect(before).toContain(from);
  writeFileSync(join(program, path), before.replaceAll(from, to));
}

test('what lies further apart than one minor version is told from what does not', () => {
  const pairs = [
    ['0.1.0', '0.1.9'],
    ['0.1.0', '0.2.0'],
    ['0.3.0', '0.2.5'],
    ['test', '9.0.0'],
  ];
  expect(pairs.filter(([one = '', other = '']) => isApart(one, other))).toEqual([]);
  expect([isApart('0.1.0', '0.3.0'), isApart('1.0.0', '0.9.0')]).toEqual([true, true]);
});

test.skipIf(!databaseEngines.includes('postgres'))(
  'a worker of the release before runs on beside a newer API, also on newer tables, and is refused when it starts anew',
  { timeout: 120_000 },
  async () => {
    const town = await openTown();
    const { api, older, program, database, at } = town;
    // The same tables, another minor: each does what it knows, and what it does not know falls to the other.
    expect(await town.submit('flip')).toMatchObject({ state: 'succeeded' });
    const strange = town.submit('tumble');
    await vi.waitFor(() => expect(older.output()).toContain('The operation tumble is of a newer release'), patience);
    const newer = await startWorker({ ...at, program });
    closers.push(() => newer.end('SIGKILL'));
    const done = (await strange) as { id: string };
    expect(done).toMatchObject({ state: 'succeeded' });
    // An API of the release before shows what it could not have taken in.
    const before = await startProduct({ ...at, port: await freePort(), args: ['serve', '--no-worker'] });
    closers.push(() => before.end('SIGKILL'));
    const seen = await fetch(`${before.url}/v1/batches/${done.id}`);
    expect(await seen.json()).toMatchObject({ state: 'succeeded', renditions: { default: ['tumble'] } });
    const { rows } = await sql<{ left: number }>`select distinct attempts_left as left from images`.execute(
      database.query,
    );
    expect(rows).toEqual([{ left: 4 }]);

    const row = { machine: 'attic', pid: 7, slots: 1, version: '7.0.0' };
    await database.query
      .insertInto('workers')
      .values({ ...row, id: newId() })
      .execute();
    const overview = await town.overview();
    expect(overview.workers.map((worker) => worker.version).toSorted()).toEqual([version, town.next, '7.0.0']);
    const bound = 'they may differ by one minor version.';
    expect(overview.warnings).toEqual([`The worker attic/7 is 7.0.0 and this is ${town.next}: ${bound}`]);

    // Newer tables: who runs goes on, who starts is told.
    expect(await newer.end('SIGTERM')).toBe(0);
    addMigration(program);
    expect(await inProgram(program, ['migrate'], at.env)).toMatchObject({ code: 0 });
    expect(await town.submit('flop')).toMatchObject({ state: 'succeeded' });
    expect(await inProgram(root, ['worker'], at.env)).toMatchObject({
      code: 1,
      err: expect.stringContaining('migrated by a newer release of Darkroom (9000-later)'),
    });
    for (const each of [older, api]) expect(await each.end('SIGTERM')).toBe(0);
  },
);

/** An API of the next release and a worker of this one, which was there before. */
async function openTown() {
  const folder = mkdtempSync(join(tmpdir(), 'darkroom-releases-'));
  closers.push(async () => rmSync(folder, { recursive: true, force: true }));
  const [major = '', minor] = version.split('.');
  const next = `${major}.${Number(minor) + 1}.0`;
  const program = makeNext(folder, next);
  const database = await openTestDatabase('postgres');
  closers.push(() => database.close());
  const pictures = await openPictureSource();
  closers.push(() => pictures[Symbol.asyncDispose]());
  const env = { DATABASE_URL: database.url, DARKROOM_ALLOW_HOSTS: pictures.host, DARKROOM_SLOTS: '1' };
  const at = { dataDir: folder, port: await freePort(), env };
  const [older, api] = await Promise.all([
    startWorker(at),
    startProduct({ ...at, program, args: ['serve', '--no-worker'] }),
  ]);
  closers.push(() => Promise.all([older, api].map((each) => each.end('SIGKILL'))));
  const images = [1, 2, 3].map((n) => ({ source: { url: `http://${pictures.host}/a.jpg?n=${n}` } }));
  return {
    api,
    older,
    program,
    next,
    database,
    at,
    async submit(pipeline: string): Promise<unknown> {
      const headers = { 'content-type': 'application/json' };
      const body = JSON.stringify({ pipeline, images });
      return (await fetch(`${api.url}/v1/batches?wait=60`, { method: 'POST', headers, body })).json();
    },
    async overview(): Promise<{ workers: { version: string }[]; warnings: string[] }> {
      return JSON.parse(await (await fetch(`${api.url}/v1/admin/overview`)).text());
    },
  };
}

/** Runs a command of that program to its end. */
async function inProgram(program: string, words: string[], env: Record<string, string>) {
  const child = spawn(process.execPath, ['src/main.ts', ...words], {
    cwd: program,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [err, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  return { code: code as number | null, err };
}
