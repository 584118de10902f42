// kills.test.ts — violence from outside on a running process: children killed, uploads cut, disks full, everything stopped.

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { openGallery, type Gallery } from './support/gallery.ts';
import { startProduct } from './support/product.ts';
import { openStandalone, type Standalone } from './support/standalone.ts';

/** Silent is who sent no heartbeat for ten seconds. */
const stoppedMs = Number(process.env.DARKROOM_TEST_STOPPED_MS ?? 13_000);

const header = 'S. No.,Product Name,Input Image Urls\n';
const catalogOf = (gallery: Gallery, count: number): string =>
  header + Array.from({ length: count }, (_, n) => `${n + 1},P${n + 1},${gallery.url(n + 1)}`).join('\n');

async function submit(url: string, catalog: string) {
  const form = new FormData();
  form.set('file', new Blob([catalog]), 'catalog.csv');
  const answer = await fetch(`${url}/upload`, { method: 'POST', body: form });
  return { status: answer.status, id: ((await answer.json()) as { request_id: string }).request_id };
}

type Status = { status: string; total_images: number; processed_images: number; failed_images: number };
const statusOf = (url: string, id: string): Promise<Status> =>
  fetch(`${url}/status/${id}`).then((answer) => answer.json() as Promise<Status>);

async function ends(url: string, id: string): Promise<Status> {
  await expect
    // Shorter than any test here may take: what a test set up is taken down by the test itself.
    .poll(async () => (await statusOf(url, id)).status, { timeout: 120_000, interval: 100 })
    .toMatch(/completed|failed/);
  return statusOf(url, id);
}

/** The sandbox children of a process. */
function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.split(' ').filter(Boolean).map(Number);
}

/** False when there is no such process any more. */
function signaled(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

test.skipIf(process.platform !== 'linux')(
  'sandbox children killed again and again cost pictures at most, never the process',
  { timeout: 240_000 },
  async () => {
    await using gallery = await openGallery({ delayMs: 20 });
    await using product = await openStandalone({ DARKROOM_ALLOW_HOSTS: gallery.host, DARKROOM_SLOTS: '2' });
    const { id } = await submit(product.url, catalogOf(gallery, 120));
    let kills = 0;
    const killing = setInterval(() => {
      const [child] = childrenOf(product.pid);
      // Not for ever: where a child takes longer to start than it is given to live, nothing would be done.
      if (kills < 20 && child && signaled(child, 'SIGKILL')) kills += 1;
    }, 250);
    const status = await ends(product.url, id).finally(() => clearInterval(killing));
    expect(kills).toBeGreaterThan(2);
    expect(status.processed_images + status.failed_images).toBe(120);
    expect(await codesOf(product, id)).toSatisfy((codes: string[]) =>
      codes.every((code) => code === 'decoder_crashed'),
    );
    expect(signaled(product.pid, 0)).toBe(true);
    console.log(`${kills} children killed: ${status.processed_images} done, ${status.failed_images} decoder_crashed`);
  },
);

async function codesOf({ url }: Standalone, id: string): Promise<string[]> {
  const { items } = (await fetch(`${url}/v1/batches/${id}/failures`).then((answer) => answer.json())) as {
    items: { code: string }[];
  };
  return items.map(({ code }) => code);
}

test('a process killed in the middle of an upload keeps no row, and no file but what the sweep takes', async () => {
  await using product = await openStandalone({}, ['serve', '--no-worker']);
  const head = [
    'POST /upload HTTP/1.1',
    'Host: localhost',
    'Content-Type: multipart/form-data; boundary=limit',
    'Content-Length: 10000000',
    '',
    '--limit',
    'Content-Disposition: form-data; name="file"; filename="a.csv"',
    '',
    header,
  ].join('\r\n');
  const socket = connect(Number(new URL(product.url).port), '127.0.0.1').on('error', () => {});
  const row = '1,A,http://pictures.invalid/a.jpg\n';
  socket.write(head + row.repeat(50_000));
  const files = () => readdirSync(join(product.dataDir, 'files'), { recursive: true, withFileTypes: true });
  const paths = () =>
    files()
      .filter((entry) => entry.isFile())
      .map((entry) => entry.parentPath);
  await expect.poll(paths, { timeout: 10_000 }).toHaveLength(1);
  await product.end('SIGKILL');
  socket.destroy();

  const port = Number(new URL(product.url).port);
  const again = await startProduct({ dataDir: product.dataDir, port, args: ['serve', '--no-worker'] });
  try {
    const list = await fetch(`${again.url}/v1/batches`).then((answer) => answer.json());
    expect(list).toMatchObject({ items: [] });
    // What lies there still is a temporary file; those go when they are an hour old (test/storage.test.ts).
    expect(paths().filter((path) => !path.endsWith('/tmp'))).toEqual([]);
  } finally {
    await again.end('SIGKILL');
  }
});

const canMount = process.platform === 'linux' && process.getuid?.() === 0;
if (!canMount) console.warn('SKIPPED: the full disk, because only root can mount one.');

test.skipIf(!canMount)(
  'a full disk refuses uploads, puts work back unharmed, and is forgotten when it is emptied',
  { timeout: 240_000 },
  async () => {
    await using disk = await openSmallDisk();
    // The disk fills up once, while pictures are under way.
    const filled = Promise.withResolvers<void>();
    await using gallery = await openGallery({ delayMs: 50, onAsk: (n) => void (n === 10 && filled.resolve()) });
    const filling = filled.promise.then(() => disk.fill());
    await using product = await openStandalone({
      DARKROOM_ALLOW_HOSTS: gallery.host,
      DARKROOM_SLOTS: '2',
      STORAGE_URL: `file:${disk.path}`,
    });
    const catalog = catalogOf(gallery, 60);
    const { id } = await submit(product.url, catalog);
    await filling;
    const ready = () => fetch(`${product.url}/readyz`).then((answer) => answer.status);
    await expect.poll(ready, { timeout: 30_000 }).toBe(503);
    const refused = await submit(product.url, catalog);
    expect(refused.status).toBe(507);
    expect(await statusOf(product.url, id)).toMatchObject({ status: 'processing', failed_images: 0 });

    await disk.empty();
    expect(await ends(product.url, id)).toMatchObject({ status: 'completed', processed_images: 60, failed_images: 0 });
    await expect.poll(ready, { timeout: 30_000 }).toBe(200);
    expect((await submit(product.url, catalog)).status).toBe(200);
    expect(signaled(product.pid, 0)).toBe(true);
  },
);

async function openSmallDisk() {
  const path = await mkdtemp(join(tmpdir(), 'darkroom-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32m', 'tmpfs', path]);
  const file = join(path, 'ballast');
  return {
    path,
    /** Writes until nothing fits any more. */
    fill: () => writeFile(file, Buffer.alloc(32 * 1024 ** 2)).catch(() => {}),
    empty: () => rm(file),
    async [Symbol.asyncDispose]() {
      execFileSync('umount', ['-l', path]);
      await rm(path, { recursive: true, force: true });
    },
  };
}

test('a process that was stopped for longer than a worker may be silent goes on', { timeout: 240_000 }, async () => {
  await using gallery = await openGallery({ delayMs: 100 });
  await using product = await openStandalone({ DARKROOM_ALLOW_HOSTS: gallery.host, DARKROOM_SLOTS: '2' });
  const { id } = await submit(product.url, catalogOf(gallery, 60));
  await expect.poll(() => gallery.asked.size, { timeout: 30_000 }).toBeGreaterThan(5);
  process.kill(product.pid, 'SIGSTOP');
  await sleep(stoppedMs);
  process.kill(product.pid, 'SIGCONT');
  expect(await ends(product.url, id)).toMatchObject({ status: 'completed', processed_images: 60, failed_images: 0 });
});
