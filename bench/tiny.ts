// tiny.ts — pictures of one pixel: what a job costs besides its picture.
//
// Row T13: CPU of every process per job of a catalog, against sharp by hand on as many files. Beside it, without a gate,
// the same jobs sent one by one as JSON: there each is a batch of its own.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { enginesOf, missingFor, type Engine } from './lib/backing.ts';
import { bareLap } from './lib/bare.ts';
import { fetchResults, runCatalog, writeCatalog } from './lib/catalog.ts';
import { openClient, type Client } from './lib/load.ts';
import { listenForNoise } from './lib/noise.ts';
import { compare, cpuPerImage, interleave, totalCpu, usualCpu, type Cpu, type Lap } from './lib/pairs.ts';
import { guardIdentical } from './lib/quality.ts';
import { cpuSince, onDarkroom, type Darkroom } from './lib/server.ts';
import type { Side } from './lib/side.ts';
import type { Stage } from './lib/stage.ts';
import { digits, judge, printed, shown, skipped, type Row } from './lib/table.ts';
import { tinyPng } from './lib/tiny.ts';
import type { BareRequests } from './sides/bare.ts';

const settings = { DARKROOM_PIPELINE: 'compress:50/jpeg', DARKROOM_LOG_LEVEL: 'warn' };
const sendersAtOnce = 16;

export async function rows(stage: Stage): Promise<Row[]> {
  const [jobs = stage.options.brief ? 1500 : 3000] = stage.options.counts;
  const bare = stage.side<BareRequests>('sides/bare.ts', { MALLOC_ARENA_MAX: '2' });
  const paths = await writeTiny(stage, 2 * jobs);
  const found: Row[] = [];
  for (const engine of enginesOf(stage.options.engines, ['embedded', 'postgres'])) {
    stage.log(`tiny: ${jobs} jobs, ${engine}`);
    const work = (server: Darkroom) => measure(stage, server, { engine, jobs, paths, bare });
    found.push(
      ...(await stage.attempt(
        `tiny, ${engine}`,
        async () => (await onDarkroom(stage, { engine, settings }, work)) ?? [skipped('T13', missingFor(engine))],
      )),
    );
  }
  await bare.stop();
  return found;
}

/** A file for each job: L0 reads and writes as many as the house does. */
async function writeTiny(stage: Stage, files: number): Promise<string[]> {
  const folder = join(stage.folder, 'tiny');
  await mkdir(folder, { recursive: true });
  const paths = Array.from({ length: files }, (_, index) => join(folder, `tiny-${index}.png`));
  for (const path of paths) await writeFile(path, tinyPng);
  return paths;
}

type Given = { engine: Engine; jobs: number; paths: string[]; bare: Side<BareRequests> };

async function measure(stage: Stage, server: Darkroom, { engine, jobs, paths, bare }: Given): Promise<Row[]> {
  const { host } = await stage.source();
  const urlsOf = (salt: string) => Array.from({ length: jobs }, (_, job) => `http://${host}/${salt}-${job}/tiny.png`);
  const out = join(stage.folder, 'out', 'tiny-L0');
  let last = '';
  const sides = {
    house: async (round: number) => {
      const before = server.cpu();
      const { id, failed, total, wallMs } = await runCatalog(server, writeCatalog(urlsOf(`${engine}-${round}`)));
      if (failed > 0 || total !== jobs) throw new Error(`${failed} of ${total} images failed`);
      last = id;
      return { images: jobs, wallMs, cpu: cpuSince(server.cpu(), before) };
    },
    L0: () => bareLap(bare, { op: 'a', sources: paths, from: 'files', inFlight: stage.slots, out }),
  };
  await sides.house(-1);
  await sides.L0();
  const hush = listenForNoise();
  const laps = await interleave(sides, stage.options.pairs);
  const noise = hush();
  const expected = { name: 'tiny', body: await readFile(join(out, 'tiny-0.jpg')), sourceBytes: tinyPng.length };
  const { faults, kept } = await guardIdentical(await fetchResults(server, last), [expected]);
  const comparison = compare(laps.house, laps.L0, cpuPerImage);
  const cpuMs = usualCpu(laps.house);
  const note = [splitOf(cpuMs), kept > 0 ? 'sources kept' : ''].filter(Boolean).join('; ');
  const row = { id: 'T13', ...shown(comparison), against: 'L0-tiny', engine, noise, cpuMs, note };
  const found = [judge(row, { reference: true, refused: faults[0] })];
  if (!stage.options.brief) found.push(oneByOneRow(engine, await oneByOne(server, urlsOf(`${engine}-single`)), noise));
  return found;
}

/** Each job a request and a batch of its own; ends when the last of them has. */
async function oneByOne(server: Darkroom, urls: string[]): Promise<Lap> {
  const client = openClient(server.url, sendersAtOnce);
  try {
    const before = server.cpu();
    const begin = performance.now();
    const ids: string[] = [];
    const rest = urls.values();
    const sender = async () => {
      for (const url of rest) ids.push(await submit(client, url));
    };
    await Promise.all(Array.from({ length: sendersAtOnce }, sender));
    // Batches end in about the order in which they came, so the last few tell of all.
    for (const id of ids.slice(-sendersAtOnce)) await client.get(`/v1/batches/${id}?wait=60`);
    return { images: urls.length, wallMs: performance.now() - begin, cpu: cpuSince(server.cpu(), before) };
  } finally {
    await client.close();
  }
}

async function submit(client: Client, url: string): Promise<string> {
  const body = { images: [{ source: { url } }], pipeline: settings.DARKROOM_PIPELINE };
  return (JSON.parse(await client.post('/v1/batches', body)) as { id: string }).id;
}

function oneByOneRow(engine: Engine, lap: Lap, noise: number): Row {
  const figure = cpuPerImage(lap);
  const what = `1x1 PNG, each sent as JSON, a batch of its own; ${engine}`;
  const cpuMs = usualCpu([lap]);
  const figures = { ours: figure, figure, min: figure, max: figure, n: 1, noise };
  return printed({ id: 'tiny', what, unit: 'CPU-ms a job', ...figures, cpuMs, note: splitOf(cpuMs) });
}

const splitOf = (cpuMs: Cpu): string =>
  `${Object.entries(cpuMs)
    .map(([name, ms]) => `${name} ${digits(ms)}`)
    .join(', ')} of ${digits(totalCpu(cpuMs))} CPU-ms`;
