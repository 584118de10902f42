// examples.test.ts — every file of examples/ is run as its reader would run it, against a started server.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { freePort } from './support/product.ts';
import { openServed, type Served } from './support/served.ts';

const examples = join(import.meta.dirname, '../examples');
const python = spawnSync('python3', ['--version']).status === 0;
if (!python) console.warn('There is no python3: the examples in Python are not run.');
const programs: Record<string, string> = { '.ts': process.execPath, '.py': 'python3', '.sh': 'sh' };
const run = new Set<string>();
const cannotRun = (example: string) => extname(example) === '.py' && !python;

let served: Served;
let folder: string;
let hookPort: number;
beforeAll(async () => {
  hookPort = await freePort();
  served = await openServed('pglite', { allow: [`127.0.0.1:${hookPort}`] });
  folder = await mkdtemp(join(tmpdir(), 'darkroom-examples-'));
  const { host } = served.pictures;
  const rows = [`1,Cup,"http://${host}/a.jpg,http://${host}/gone.jpg"`, `2,Lid,http://${host}/b.png`];
  await writeFile(join(folder, 'catalog.csv'), `S. No.,Product Name,Input Image Urls\n${rows.join('\n')}\n`);
  const picture = sharp({ create: { width: 400, height: 200, channels: 3, background: '#357' } });
  await writeFile(join(folder, 'wide.jpg'), await picture.clone().jpeg().toBuffer());
  await writeFile(join(folder, 'flat.png'), await picture.clone().png().toBuffer());
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const environment = () => ({ PATH: process.env.PATH, HOME: folder, DARKROOM_URL: served.url });

/** What an example prints; it must end with 0. */
async function outputOf(example: string, ...args: string[]): Promise<string> {
  run.add(example);
  const program = programs[extname(example)] ?? '';
  const options = { cwd: folder, env: environment(), timeout: 100_000 };
  const { stdout } = await promisify(execFile)(program, [join(examples, example), ...args], options);
  return stdout;
}

/** An example that goes on by itself. */
function start(example: string, more: Record<string, string> = {}) {
  run.add(example);
  const env = { ...environment(), ...more };
  const child = spawn(programs[extname(example)] ?? '', [join(examples, example)], { cwd: folder, env });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += String(chunk)));
  const gone = new Promise<number | null>((resolve) => child.once('exit', resolve));
  return {
    output: () => output,
    says: async (words: string) => {
      await expect.poll(() => output, { timeout: 30_000 }).toContain(words);
    },
    gone,
    async stop() {
      child.kill('SIGKILL');
      await gone;
    },
  };
}

/** A way to the server that can be cut. */
async function openWire(url: string) {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(Number(new URL(url).port), '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('error', () => to.destroy()).pipe(to);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    async [Symbol.asyncDispose]() {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const textOf = (name: string) => readFile(join(folder, name), 'utf8');
const metadataOf = async (name: string) => sharp(await readFile(join(folder, name))).metadata();

describe('a catalog through /v1', () => {
  for (const example of ['curl/catalog.sh', 'typescript/catalog.ts', 'python/catalog.py'])
    test.skipIf(cannotRun(example))(`ends in its CSV, and its failure is told, by ${example}`, async () => {
      const told = await outputOf(example, 'catalog.csv', 'out.csv');
      expect(told).toMatch(/failed: .*not_found/);
      const [header, ...rows] = (await textOf('out.csv')).trim().split(/\r?\n/);
      expect(header).toBe('S. No.,Product Name,Input Image Urls,Output Image Urls,Status,Errors');
      expect(rows).toHaveLength(2);
      expect(rows[0]).toMatch(/\/v1\/files\/[a-z2-7]{26}\.webp,",partially_succeeded,2:not_found$/);
      expect(rows[1]).toMatch(/\/v1\/files\/[a-z2-7]{26}\.webp,succeeded,$/);
    });
});

describe('our own examples', () => {
  test('pictures come back in two renditions each', async () => {
    const names = (await outputOf('curl/pictures.sh', 'wide.jpg', 'flat.png')).trim().split('\n');
    const sizes = await Promise.all(names.map(async (name) => (await metadataOf(name)).width));
    expect(sizes.toSorted((a, b) => a - b)).toEqual([200, 200, 400, 400]);
  });

  test('events of a batch are told to its end, each once, also over a cut connection', async () => {
    await using wire = await openWire(served.url);
    const follower = start('typescript/follow.ts', { DARKROOM_URL: wire.url });
    await follower.says('image.');
    wire.cut();
    expect(await follower.gone).toBe(0);
    expect(follower.output()).toMatch(/^cut off .*going on after event \d+$/m);
    const lines = follower.output().trim().split('\n');
    const succeeded = lines.filter((line) => line.startsWith('image.succeeded '));
    expect(succeeded).toHaveLength(11);
    expect(new Set(succeeded).size).toBe(11);
    expect(lines.filter((line) => /^image\.failed \d+ not_(found|an_image)$/.test(line))).toHaveLength(2);
    expect(lines.at(-1)).toBe('batch.finished');
  });

  for (const example of ['receiver/receiver.ts', 'receiver/receiver.py'])
    test.skipIf(cannotRun(example))(`${example} believes what is signed, and nothing else`, async () => {
      const { json } = await served.ask('/v1/admin/webhook_secret');
      const receiver = start(example, { PORT: String(hookPort), DARKROOM_WEBHOOK_SECRET: json.secrets[0] });
      try {
        await receiver.says('listening');
        const url = `http://127.0.0.1:${hookPort}/hook`;
        const headers = { 'content-type': 'application/json' };
        const body = JSON.stringify({ sample: true, webhook_url: url });
        const batch = (await served.ask('/v1/batches', { method: 'POST', headers, body })).json;
        await receiver.says(`batch.finished ${batch.id}`);
        await served.until(
          `/v1/deliveries?batch_id=${batch.id}`,
          (reply) => reply.json.items[0]?.state === 'delivered',
        );
        const forged = { 'webhook-id': 'msg_1', 'webhook-timestamp': String(Math.floor(Date.now() / 1000)) };
        const signature = `v1,${Buffer.alloc(32).toString('base64')}`;
        for (const given of [{}, forged, { ...forged, 'webhook-signature': signature }])
          expect((await fetch(url, { method: 'POST', headers: { ...given }, body })).status).toBe(401);
        expect(receiver.output().match(/batch\.finished/g)).toHaveLength(1);
      } finally {
        await receiver.stop();
      }
    });
});

describe('the client of each README', () => {
  test('A: uploads, hears of each on the socket, and has the results', async () => {
    const lines = (await outputOf('clients/uploads.ts', 'wide.jpg', 'flat.png')).trim().split('\n');
    expect(lines).toContain('Images upload initiated');
    expect(lines.filter((line) => /^[0-9a-f-]{36} completed$/.test(line))).toHaveLength(2);
    const results = lines.filter((line) => /^[a-z2-7]{26}\.(jpg|png)$/.test(line));
    expect(results).toHaveLength(2);
    for (const name of results) expect((await metadataOf(name)).width).toBe(400);
    expect(lines).toContainEqual(expect.stringMatching(/^wide\.jpg \d+ completed$/));
  });

  test.skipIf(!python)('B: sends a catalog and polls it to its end', async () => {
    const webhook = 'https://your-webhook.example/';
    expect(await outputOf('clients/image_process.py', 'catalog.csv', webhook)).toMatch(/^[0-9a-f-]{36}\ncompleted\n$/);
  });

  test('C: sends a catalog, polls, and downloads its output', async () => {
    expect(await outputOf('clients/catalog.sh', 'catalog.csv', 'seed.csv')).toMatch(/^[0-9a-f-]{36}\ncompleted\n$/);
    expect((await textOf('seed.csv')).split('\r\n')[0]).toBe('S. No.,Product Name,Input Image Urls,Output Image Urls');
  });

  test('D: has a picture transformed and keeps it', async () => {
    const url = `http://${served.pictures.host}/a.jpg`;
    const name = (await outputOf('clients/images.ts', url, 'resize:100x100', 'grayscale')).trim();
    expect(await metadataOf(name)).toMatchObject({ format: 'png', width: 100, height: 100, channels: 1 });
  });

  test.skipIf(!python)('E: has a picture scaled and keeps it', async () => {
    const told = await outputOf('clients/tasks.py', 'wide.jpg', '800', '600', 'scaled.jpg');
    expect(told).toMatch(/^[0-9a-f-]{36} \d{4}-/);
    expect(await metadataOf('scaled.jpg')).toMatchObject({ format: 'jpeg', width: 800, height: 400 });
  });

  test('is short', async () => {
    for (const name of await readdir(join(examples, 'clients')))
      expect([name, (await readFile(join(examples, 'clients', name), 'utf8')).split('\n').length <= 61]).toEqual([
        name,
        true,
      ]);
  });
});

test('no example is left out', async () => {
  const files = await readdir(examples, { recursive: true });
  const all = files.filter((name) => extname(name) in programs && (python || extname(name) !== '.py'));
  expect([...run].toSorted()).toEqual(all.toSorted());
  const readme = await readFile(join(examples, 'README.md'), 'utf8');
  for (const name of files.filter((each) => extname(each) in programs))
    expect(readme).toContain(name.replace('clients/', ''));
});
