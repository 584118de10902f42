// bench.test.ts — the rules of honest measurement, each broken here on purpose.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { digestOf, readList, referenceDigest } from '../bench/corpus.ts';
import { readMachine } from '../bench/lib/noise.ts';
import { compare, cpuPerImage, interleave, median, percentile, type Lap } from '../bench/lib/pairs.ts';
import { cpuOfTree, pidsOfTree, pssOfTrees } from '../bench/lib/proc.ts';
import { guardIdentical, psnr } from '../bench/lib/quality.ts';
import { openSide } from '../bench/lib/side.ts';
import { judge, targetTable, verdictOf } from '../bench/lib/table.ts';
import { chooseOperations, openOptions, operations } from '../bench/operations.ts';
import type { SourceRequests } from '../bench/source.ts';
import { noise } from '../bench/synthetic.ts';
import { targetOf, targets } from '../bench/targets.ts';

const lap = (cpuMs: number, wallMs = 1000, images = 10): Lap => ({ images, wallMs, cpu: { worker: cpuMs } });
const measured = { ours: 1, figure: 1, min: 1, max: 1, n: 3, noise: 0 };

describe('the list of rows', () => {
  test('README.md shows every row with its gate and aim', () => {
    const readme = readFileSync(new URL('../bench/README.md', import.meta.url), 'utf8');
    expect(readme).toContain(targetTable());
  });

  test('holds T1 to T25, each name once, no aim easier than its gate', () => {
    const names = targets.map((target) => target.id);
    expect(new Set(names).size).toBe(names.length);
    for (let number = 1; number <= 25; number++)
      expect(names.some((name) => new RegExp(`^T${number}(?!\\d)`).test(name))).toBe(true);
    for (const { better, gate, aim } of targets) expect(better === 'higher' ? aim >= gate : aim <= gate).toBe(true);
  });
});

describe('pairs', () => {
  test('sides take turns, and each ratio is of neighbours', async () => {
    const order: string[] = [];
    const side = (name: string, cpu: number) => async (round: number) => {
      order.push(`${name}${round}`);
      return lap(cpu * (round + 1));
    };
    const laps = await interleave({ A: side('A', 110), B: side('B', 100) }, 3);
    expect(order).toEqual(['A0', 'B0', 'A1', 'B1', 'A2', 'B2']);
    expect(compare(laps.A, laps.B, cpuPerImage)).toMatchObject({ ratio: 1.1, min: 1.1, max: 1.1, n: 3 });
  });

  test('one lucky pair does not move the figure', () => {
    const ours = [lap(100), lap(130), lap(131)];
    const reference = [lap(100), lap(100), lap(100)];
    expect(compare(ours, reference, cpuPerImage)).toMatchObject({ ratio: 1.3, min: 1, max: 1.31 });
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(percentile([1, 2, 3, 4], 0.5)).toBe(2);
  });

  test('CPU of every process counts, PostgreSQL too', () => {
    const cpu = { worker: 50, children: 400, postgres: 50 };
    expect(cpuPerImage({ images: 10, wallMs: 1, cpu })).toBe(50);
  });
});

describe('what processes used', () => {
  test('killing a recycled child does not lower the CPU of its tree', async () => {
    const busy = `const end = Date.now() + 400; while (Date.now() < end); console.log('done'); setTimeout(() => {}, 60_000)`;
    const parent = `
      const child = require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(busy)}], { stdio: ['ignore', 'inherit', 'inherit'] });
      process.stdin.once('data', () => child.kill('SIGKILL'));
      child.once('exit', () => { console.log('reaped'); setTimeout(() => {}, 60_000); });`;
    const root = spawn(process.execPath, ['-e', parent], { stdio: ['pipe', 'pipe', 'inherit'] });
    try {
      await once(root.stdout, 'data');
      const before = cpuOfTree(root.pid ?? 0);
      expect(before.restMs).toBeGreaterThan(100);
      expect(pidsOfTree(root.pid ?? 0)).toHaveLength(2);
      root.stdin.write('now\n');
      await once(root.stdout, 'data');
      expect(pidsOfTree(root.pid ?? 0)).toHaveLength(1);
      expect(cpuOfTree(root.pid ?? 0).restMs).toBeGreaterThanOrEqual(before.restMs);
    } finally {
      root.kill('SIGKILL');
    }
  });

  test('memory of a tree is what its processes share counted once', () => {
    expect(pssOfTrees([process.pid])).toBeGreaterThan(20);
    expect(pssOfTrees([2 ** 30])).toBe(0);
  });

  test('the machine line of /proc/stat tells busy from stolen time', () => {
    expect(readMachine('cpu  100 10 50 900 7 1 2 30 0 0\ncpu0 1 1 1 1')).toEqual({ busyMs: 1630, stolenMs: 300 });
  });
});

describe('verdicts', () => {
  test('a noisy machine takes the verdict from wall rows, never from CPU rows', () => {
    expect(verdictOf(targetOf('T1a'), 0.5, 0.2)).toBe('noisy');
    expect(verdictOf(targetOf('T5a'), 1.2, 0.2)).toBe('below');
    expect(verdictOf(targetOf('T1a'), 0.5, 0.01)).toBe('below');
  });

  test('five more milliseconds an image turn T5 red for every operation', () => {
    const bareMs = { a: 70, f: 55, b: 44, c: 39 };
    for (const [key, bare] of Object.entries(bareMs))
      expect(verdictOf(targetOf(`T5${key}`), (bare * 1.05 + 5) / bare, 0)).toBe('below');
  });

  test('another corpus than the photos is only printed, a failed guard has no speed', () => {
    expect(judge({ id: 'T5a', ...measured }, { reference: false }).verdict).toBe('printed');
    expect(judge({ id: 'T5a', ...measured }, { reference: true, refused: 'x differs' })).toMatchObject({
      verdict: 'refused',
      note: 'quality guard: x differs',
    });
    expect(judge({ id: 'T5a', ...measured }, { reference: true }).verdict).toBe('aim');
  });
});

describe('pictures', () => {
  test('corpus.tsv lists the 46 photos whose digest is known', () => {
    const listed = readList(readFileSync(new URL('../bench/corpus.tsv', import.meta.url), 'utf8'));
    expect(listed).toHaveLength(46);
    expect(digestOf(listed.map((each) => each.sha256))).toBe(referenceDigest);
    expect(Math.round(listed.reduce((sum, each) => sum + each.width * each.height, 0) / 1e6)).toBe(257);
  });

  test('a synthetic picture is the same for the same seed and costs a codec about what a photo costs', async () => {
    const [one, again, other] = await Promise.all([noise(600, 400, 7), noise(600, 400, 7), noise(600, 400, 8)]);
    expect(one.equals(again)).toBe(true);
    expect(one.equals(other)).toBe(false);
    const encoded = await sharp(one, { raw: { width: 600, height: 400, channels: 3 } })
      .jpeg({ quality: 88 })
      .toBuffer();
    expect(encoded.length / 240_000).toBeGreaterThan(0.12);
    expect(encoded.length / 240_000).toBeLessThan(0.4);
  });

  test('every operation of the rows gives its size and one format', async () => {
    const body = await noise(1200, 800, 3);
    const source = await sharp(body, { raw: { width: 1200, height: 800, channels: 3 } })
      .png()
      .toBuffer();
    const sizes: Record<string, string> = {};
    for (const { key, apply } of chooseOperations(['a', 'b', 'c'], ['balanced', 'fast'])) {
      const { info } = await apply(sharp(source, openOptions).autoOrient()).toBuffer({ resolveWithObject: true });
      sizes[key] = `${info.format} ${info.width}x${info.height}x${info.channels}`;
    }
    expect(sizes).toEqual({ a: 'jpeg 1200x800x3', f: 'jpeg 1200x800x3', b: 'jpeg 800x533x3', c: 'jpeg 100x100x1' });
    expect(() => chooseOperations(['z'], [])).toThrow('There is no operation "z"');
  });
});

describe('the source host', () => {
  test('gives another source for each salt, with the same pixels, and counts what it gave', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'darkroom-bench-test-'));
    const raw = { width: 120, height: 80, channels: 3 } as const;
    await sharp(await noise(120, 80, 2), { raw })
      .jpeg()
      .toFile(join(folder, 'a b.jpg'));
    const side = openSide<SourceRequests>('source.ts');
    try {
      const { port } = await side.ask('open', { files: [join(folder, 'a b.jpg')] });
      const get = async (path: string) => {
        const response = await fetch(`http://127.0.0.1:${port}/${path}`);
        return { status: response.status, body: Buffer.from(await response.arrayBuffer()) };
      };
      const [one, two, none] = [await get('lap-1/a%20b.jpg'), await get('lap-2/a%20b.jpg'), await get('lap-1/c.jpg')];
      expect([one.status, two.status, none.status]).toEqual([200, 200, 404]);
      expect(one.body.equals(two.body)).toBe(false);
      expect(await psnr(one.body, two.body)).toBe(Infinity);
      expect(await side.ask('counts', {})).toMatchObject({ requests: 3, bytes: 2 * one.body.length });
    } finally {
      await side.stop();
      await rm(folder, { recursive: true });
    }
  });

  test('a side that dies says so instead of leaving the harness waiting', async () => {
    const side = openSide<SourceRequests>('source.ts');
    const asked = side.ask('open', { files: ['/nowhere/to/be/found.jpg'] });
    await expect(asked).rejects.toThrow(/source\.ts: Error: ENOENT/);
    process.kill(side.pid, 'SIGKILL');
    await expect(side.ask('counts', {})).rejects.toThrow(/ended with SIGKILL|channel/i);
  });
});

describe('the quality guard', () => {
  test('refuses another encoder setting, another size and a missing result', async () => {
    const source = sharp(await noise(300, 200, 5), { raw: { width: 300, height: 200, channels: 3 } });
    const [bare] = operations;
    const [expected, lower, small] = await Promise.all([
      bare?.apply(source.clone()).toBuffer() ?? Buffer.alloc(0),
      source.clone().jpeg({ quality: 49 }).toBuffer(),
      source.clone().resize(299, 200).jpeg({ quality: 50 }).toBuffer(),
    ]);
    const reference = [{ name: 'x', body: expected }];
    expect(await guardIdentical(reference, reference)).toMatchObject({ ok: true, identical: 1, faults: [] });
    expect((await guardIdentical([{ name: 'x', body: lower }], reference)).faults[0]).toMatch(/^x differs .* dB\)$/);
    expect((await guardIdentical([{ name: 'x', body: small }], reference)).faults).toEqual([
      'x is 299x200, expected 300x200',
    ]);
    expect((await guardIdentical([], reference)).faults).toEqual(['x is missing']);
    expect(await psnr(expected, expected)).toBe(Infinity);
  });

  test('counts apart what was kept because the result would have been larger', async () => {
    const source = sharp(await noise(60, 40, 5), { raw: { width: 60, height: 40, channels: 3 } });
    const kept = await source.clone().jpeg({ quality: 20 }).toBuffer();
    const body = await source.clone().jpeg({ quality: 50 }).toBuffer();
    const reference = [{ name: 'x', body, sourceBytes: kept.length }];
    expect(await guardIdentical([{ name: 'x', body: kept }], reference)).toMatchObject({
      ok: true,
      identical: 0,
      kept: 1,
    });
    const small = await source.clone().resize(30).jpeg().toBuffer();
    expect((await guardIdentical([{ name: 'x', body: small }], reference)).ok).toBe(false);
    const shrank = [{ name: 'x', body, sourceBytes: body.length + 1 }];
    expect((await guardIdentical([{ name: 'x', body: kept }], shrank)).ok).toBe(false);
  });
});
