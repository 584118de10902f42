// `darkroom process`: from a CSV to a CSV without a server, with exit codes a script can trust.

import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, test, vi } from 'vitest';
import { openPictures, run, temporaryFolder } from './support/command.ts';

const patience = { timeout: 40_000, interval: 50 };

test('all pictures succeed: exit 0, the CSV with a file beside every URL, and nothing left in the temporary folder', async () => {
  await using folder = await temporaryFolder();
  await using pictures = await openPictures();
  await writeFile(join(folder.path, 'in.csv'), pictures.catalog([['/ok1.png', '/ok2.png'], ['/ok3.png']]));
  const words = ['process', 'in.csv', '--out', 'shop/out.csv', '--pipeline', 'fit:30x/webp'];
  const command = run(folder.path, words, { env: pictures.env });
  expect(await command.ended, command.err()).toBe(0);
  const lines = (await readFile(join(folder.path, 'shop/out.csv'), 'utf8')).split('\n');
  expect(lines[0]).toBe('S. No.,Product Name,Input Image Urls,Output Image Urls,Status,Errors');
  expect(lines[1]).toMatch(/"out\/1-1\.webp,out\/1-2\.webp",succeeded,$/);
  expect(lines[2]).toMatch(/out\/2-1\.webp,succeeded,$/);
  const image = await sharp(await readFile(join(folder.path, 'shop/out/1-2.webp'))).metadata();
  expect(image).toMatchObject({ format: 'webp', width: 30, height: 20 });
  expect(command.out()).toBe('');
  expect(command.err()).toMatch(/3 images done, 0 failed/);
  expect((await readdir(folder.path)).toSorted((a, b) => a.localeCompare(b))).toEqual(['in.csv', 'shop']);
  expect(existsSync(join(folder.path, 'shop/out.failed.csv'))).toBe(false);
});

test('some fail: exit 1, and the failed rows are the input of the next run', async () => {
  await using folder = await temporaryFolder();
  await using pictures = await openPictures();
  await writeFile(join(folder.path, 'in.csv'), pictures.catalog([['/ok1.png', '/gone.png'], ['/ok2.png']]));
  const command = run(folder.path, ['process', 'in.csv', '--out', 'out.csv'], { env: pictures.env });
  expect(await command.ended, command.err()).toBe(1);
  expect(command.err()).toMatch(/2 images done, 1 failed[\s\S]*out\.failed\.csv/);
  const failed = await readFile(join(folder.path, 'out.failed.csv'), 'utf8');
  expect(failed.trim().split('\n')).toHaveLength(2);
  expect(failed).toMatch(/partially_succeeded,2:not_found/);
  const again = run(folder.path, ['process', 'out.failed.csv', '--out', 'rest.csv'], { env: pictures.env });
  expect(await again.ended, again.err()).toBe(1);
  expect(again.err()).toMatch(/1 images done, 1 failed/);
});

test('--json writes one envelope a line on stdout, with ids that rise', async () => {
  await using folder = await temporaryFolder();
  await using pictures = await openPictures();
  await writeFile(join(folder.path, 'in.csv'), pictures.catalog([['/ok1.png', '/gone.png']]));
  const command = run(folder.path, ['process', 'in.csv', '--out', 'out.csv', '--json', '--quiet'], {
    env: pictures.env,
  });
  expect(await command.ended, command.err()).toBe(1);
  const lines = command.out().trim().split('\n');
  const envelopes = lines.map(
    (line) => JSON.parse(line) as { id: string; type: string; timestamp: string; data: object },
  );
  expect(envelopes.map(({ id }) => Number(id))).toEqual(envelopes.map((_, at) => at + 1));
  expect(envelopes.every(({ timestamp }) => !Number.isNaN(Date.parse(timestamp)))).toBe(true);
  const told = envelopes.filter(({ type }) => type !== 'batch.progress');
  expect(told.map(({ type }) => type)).toEqual(['batch.created', 'image.succeeded', 'image.failed', 'batch.finished']);
  expect(told[1]?.data).toMatchObject({ image: { row: 1, path: 'out/1-1.png', error: null } });
  expect(told[2]?.data).toMatchObject({ image: { path: null, error: { code: 'not_found' } } });
  expect(told[3]?.data).toMatchObject({ state: 'partially_succeeded', counts: { total: 2, succeeded: 1, failed: 1 } });
  expect(command.err()).toBe('');
});

test.each([
  [['nothing.csv'], /ENOENT.*nothing\.csv/],
  [['.'], /This is not a file/],
  [['bad.csv'], /bad\.csv: Missing columns: /],
  [
    ['in.csv', '--pipeline', 'rezise:10x10'],
    /^Operation 1: "rezise:10x10" is not an operation; did you mean "resize"\?\n$/,
  ],
  [['in.csv', '--max-failures', '0'], /whole number above 0/],
])('what cannot be read ends with 2 and a sentence: %s', async (words, sentence) => {
  await using folder = await temporaryFolder();
  await using pictures = await openPictures();
  await writeFile(join(folder.path, 'in.csv'), pictures.catalog([['/ok1.png']]));
  await writeFile(join(folder.path, 'bad.csv'), 'a,b\n1,2\n');
  const command = run(folder.path, ['process', ...words, '--out', 'out.csv'], { env: pictures.env });
  expect(await command.ended).toBe(2);
  expect(command.err()).toMatch(sentence);
  expect(existsSync(join(folder.path, 'out.csv'))).toBe(false);
});

test.each([
  ['.', /^--out \. is a folder: name the CSV that shall be written\.\n$/],
  ['new/', /^--out new\/ is a folder/],
  ['in.csv/out.csv', /^--out in\.csv\/out\.csv cannot be written: in\.csv is not a folder\.\n$/],
  ['/proc/x/out.csv', /^--out \/proc\/x\/out\.csv cannot be written: \/proc (takes no files|is not a folder)\.\n$/],
  ['busy.csv', /^--out busy\.csv needs a folder busy for the images, and a file of that name is there\.\n$/],
])('a place that cannot be written is refused before any picture is fetched: %s', async (out, sentence) => {
  await using folder = await temporaryFolder();
  await using pictures = await openPictures();
  await writeFile(join(folder.path, 'in.csv'), pictures.catalog([['/ok1.png']]));
  await writeFile(join(folder.path, 'busy'), '');
  const command = run(folder.path, ['process', 'in.csv', '--out', out], { env: pictures.env });
  expect(await command.ended).toBe(2);
  expect(command.err()).toMatch(sentence);
  expect(pictures.asked).toEqual([]);
});

test('--fail-fast cancels what waits as soon as one picture has failed', async () => {
  await using folder = await temporaryFolder();
  await using pictures = await openPictures();
  const rows = [['/gone.png'], ...Array.from({ length: 40 }, (_, at) => [`/slow${at}.png`])];
  await writeFile(join(folder.path, 'in.csv'), pictures.catalog(rows));
  const env = { ...pictures.env, DARKROOM_FETCHES_PER_HOST: '2' };
  const command = run(folder.path, ['process', 'in.csv', '--out', 'out.csv', '--fail-fast', '--json'], { env });
  await vi.waitFor(() => expect(command.err()).toMatch(/Too many failures/), patience);
  pictures.release();
  expect(await command.ended, command.err()).toBe(1);
  expect(await readFile(join(folder.path, 'out.csv'), 'utf8')).toMatch(/,canceled,1:canceled/);
  expect(pictures.asked.length).toBeLessThan(41);
});

test('Ctrl-C finishes what is in hand, writes what is done, and says how to go on: exit 130', async () => {
  await using folder = await temporaryFolder();
  await using pictures = await openPictures();
  const rows = [['/ok1.png'], ...Array.from({ length: 60 }, (_, at) => [`/slow${at}.png`])];
  await writeFile(join(folder.path, 'in.csv'), pictures.catalog(rows));
  const env = { ...pictures.env, DARKROOM_FETCHES_PER_HOST: '2' };
  const command = run(folder.path, ['process', 'in.csv', '--out', 'out.csv'], { env });
  await vi.waitFor(() => expect(pictures.asked.some((path) => path.startsWith('/slow'))).toBe(true), patience);
  command.signal('SIGINT');
  await vi.waitFor(() => expect(command.err()).toMatch(/Finishing what is in hand/), patience);
  pictures.release();
  expect(await command.ended, command.err()).toBe(130);
  expect(command.err()).toMatch(/darkroom process out\.failed\.csv --out out\.rest\.csv/);
  expect(await readFile(join(folder.path, 'out.csv'), 'utf8')).toMatch(/ok1\.png,out\/1-1\.png,succeeded/);
  const rest = await readFile(join(folder.path, 'out.failed.csv'), 'utf8');
  expect(rest.split('\n').filter((line) => line.includes(',canceled,')).length).toBeGreaterThan(20);
});

test('Ctrl-C twice stops at once', async () => {
  await using folder = await temporaryFolder();
  await using pictures = await openPictures();
  await writeFile(join(folder.path, 'in.csv'), pictures.catalog([['/slow.png']]));
  const command = run(folder.path, ['process', 'in.csv', '--out', 'out.csv'], { env: pictures.env });
  await vi.waitFor(() => expect(pictures.asked).toHaveLength(1), patience);
  command.signal('SIGINT');
  await vi.waitFor(() => expect(command.err()).toMatch(/Finishing/), patience);
  command.signal('SIGINT');
  expect(await command.ended).toBe(130);
});
