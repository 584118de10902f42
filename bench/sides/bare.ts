// bare.ts — the limits L0 and L1: what a person gets from sharp by hand, once from files, once from HTTP.
//
// L0 goes from path to file on tmpfs, cores + 1 pictures in flight, libvips' own threads off. L1 is the same on buffers
// that undici fetches: eight connections, at most 48 MB waiting. Nothing of the product is imported here.

import { mkdir, writeFile } from 'node:fs/promises';
import { join, parse } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { Agent, request } from 'undici';
import { answer } from '../lib/side.ts';
import { openOptions, operations, paper, type Operation } from '../operations.ts';

export type BareLap = {
  op: string;
  /** Paths (L0) or URLs (L1), each once a pass. */
  sources: string[];
  from: 'files' | 'http';
  inFlight: number;
  out: string;
};
export type BareRequests = {
  lap: { ask: BareLap; reply: { wallMs: number; bytes: number } };
};

const mostWaiting = 48 * 1024 * 1024;
const agent = new Agent({ connections: 8, pipelining: 1 });
sharp.cache(false);
sharp.concurrency(1);

answer<BareRequests>({
  lap: async ({ op, sources, from, inFlight, out }) => {
    const operation = operations.find((each) => each.key === op);
    if (!operation) throw new Error(`no operation ${op}`);
    await mkdir(out, { recursive: true });
    const begin = performance.now();
    const lap = from === 'files' ? fromFiles : fromHttp;
    const bytes = await lap(operation, sources, inFlight, out);
    return { wallMs: performance.now() - begin, bytes };
  },
});

async function fromFiles(operation: Operation, paths: string[], inFlight: number, out: string): Promise<number> {
  let bytes = 0;
  await eachOf(paths, inFlight, async (path) => {
    const { size } = await prepare(operation, path, path).toFile(target(out, path, operation));
    bytes += size;
  });
  return bytes;
}

/** Two stages, as the product has them: otherwise L1 would measure waiting instead of work. */
async function fromHttp(operation: Operation, urls: string[], inFlight: number, out: string): Promise<number> {
  const fetched: { url: string; body: Buffer }[] = [];
  const gate = Promise.withResolvers<void>();
  const state = { waiting: 0, bytes: 0, fetching: true, changed: gate };
  const tell = () => {
    const { resolve } = state.changed;
    state.changed = Promise.withResolvers();
    resolve();
  };
  const fetching = eachOf(urls, 8, async (url) => {
    while (state.waiting > mostWaiting) await state.changed.promise;
    const body = await fetchBody(url);
    state.waiting += body.length;
    fetched.push({ url, body });
    tell();
  }).finally(() => {
    state.fetching = false;
    tell();
  });
  const work = async () => {
    for (;;) {
      const next = fetched.shift();
      if (next) {
        state.bytes += await renderFetched(operation, next, out);
        state.waiting -= next.body.length;
        tell();
      } else if (state.fetching) await state.changed.promise;
      else return;
    }
  };
  await Promise.all([fetching, ...Array.from({ length: inFlight }, work)]);
  return state.bytes;
}

async function renderFetched(operation: Operation, { url, body }: { url: string; body: Buffer }, out: string) {
  const result = await prepare(operation, body, url).toBuffer();
  await writeFile(target(out, url, operation), result);
  return result.length;
}

async function fetchBody(url: string): Promise<Buffer> {
  const { statusCode, body } = await request(url, { dispatcher: agent });
  if (statusCode !== 200) throw new Error(`${url} answered ${statusCode}`);
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Only PNG sources can be transparent in this corpus; JPEG has no paper of its own. */
function prepare(operation: Operation, input: string | Buffer, name: string): Sharp {
  const image = operation.apply(sharp(input, openOptions).autoOrient());
  return name.endsWith('.png') && operation.extension === 'jpg' ? image.flatten({ background: paper }) : image;
}

const target = (out: string, source: string, { extension }: Operation): string =>
  join(out, `${parse(decodeURIComponent(source)).name}.${extension}`);

async function eachOf<T>(items: T[], inFlight: number, work: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  const worker = async () => {
    for (const item of rest) await work(item);
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
}
