import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { plain, sharpOf } from './support/pictures-made.ts';
import { misbehaving, openStudio } from './support/pictures-sandbox.ts';

let small: Buffer;
beforeAll(async () => {
  small = await sharpOf(plain(20, 10, [1, 2, 3]))
    .png()
    .toBuffer();
});

type Studio = Awaited<ReturnType<typeof openStudio>>;
/** Asks for one rendition whose name tells the double what to do; gives its outcome or the code. */
async function ask(studio: Studio, name: string): Promise<string> {
  return studio.renderAll(small, { [name]: 'png' }).then(
    ({ renditions }) => Buffer.concat(renditions[0]!.body).toString('latin1').split('|')[1] ?? 'fine',
    (error: Error & { code?: string }) => error.code ?? error.message,
  );
}

describe('a child that lies', () => {
  let studio: Studio;
  beforeAll(async () => {
    studio = await openStudio({ childScript: misbehaving('liar') });
  });
  afterAll(() => studio.sandbox.close());

  const frames = ['noise', 'length', 'payload', 'list', 'frame', 'early', 'exit', 'id', 'sides'];
  const results = ['code', 'stages', 'name', 'format', 'box', 'warning', 'magic', 'missing', 'twice'];
  test.each([...frames, ...results])('about its %s is killed, and the next image works', async (lie) => {
    const [{ pid } = { pid: 0 }] = studio.sandbox.children();
    // What comes after `done` can only be seen with the next image.
    const expected = lie === 'twice' ? ['decoder_crashed', 'fine'] : ['decoder_crashed'];
    expect(expected).toContain(await ask(studio, lie));
    expect(await ask(studio, 'honest')).toBe('fine');
    expect(studio.sandbox.children()[0]?.pid).not.toBe(pid);
  });
});

describe('a child that goes wild', () => {
  test('is killed when a stage takes too long', async () => {
    await using studio = await openStudio({ childScript: misbehaving('rogue'), imageTimeMs: 700 });
    expect(await ask(studio, 'hang')).toBe('decode_timeout');
    expect(await ask(studio, 'nothing')).toBe('undefined');
  });

  test('is killed when it takes too much memory', async () => {
    await using studio = await openStudio({ childScript: misbehaving('rogue'), imageMemory: 200 * 1024 * 1024 });
    expect(await ask(studio, 'eat')).toBe('decode_memory');
    expect(await ask(studio, 'nothing')).toBe('undefined');
  });

  test('reads no file, starts no program, and knows three variables', async () => {
    await using studio = await openStudio({ childScript: misbehaving('rogue') });
    expect(await ask(studio, 'read')).toBe('ERR_ACCESS_DENIED');
    expect(await ask(studio, 'spawn')).toBe('ERR_ACCESS_DENIED');
    expect(await ask(studio, 'environment')).toBe('LC_ALL MALLOC_ARENA_MAX UV_THREADPOOL_SIZE');
    expect(await ask(studio, 'priority')).toBe('19');
  });

  test('ends when its parent is killed, even in an endless loop of the decoder', async () => {
    const script = fileURLToPath(new URL('./support/pictures-children/parent.ts', import.meta.url));
    const parent = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    expect(isAlive(pid)).toBe(true);
    parent.kill('SIGKILL');
    const end = performance.now() + 15_000;
    while (isAlive(pid) && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(isAlive(pid)).toBe(false);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
