// source.ts — brings the bytes of an image's source: from its host, or from our storage.
//
// The chunks stay a list from the socket to the sandbox: joining 1 MB costs 0.7 ms of CPU.

import { createHash } from 'node:crypto';
import type { Uses } from '../app.ts';
import { asProblem, problem } from '../problem.ts';
import { keyOf } from '../storage/storage.ts';
import type { Claimed } from './claim.ts';
import { faultOfStorage, Parked } from './outcome.ts';

export type SourceBytes = { chunks: Buffer[]; bytes: number; sha256: Buffer; host?: string };

/** Gets the source, or throws its Problem, or Parked when the host asked for a pause. */
export async function bringSource(
  app: Uses<'egress' | 'storage'>,
  { source, hop }: Pick<Claimed, 'source' | 'hop'>,
  signal: AbortSignal,
): Promise<SourceBytes> {
  if (source === 'gone') throw problem('expired');
  return 'upload' in source ? readUpload(app, source.upload, signal) : fetchUrl(app, source.url, { hop, signal });
}

async function fetchUrl(
  { egress }: Uses<'egress'>,
  url: string,
  options: { hop: number; signal: AbortSignal },
): Promise<SourceBytes> {
  const { host } = egress.check(url, 'source');
  const pause = egress.hosts.blockedFor(host);
  if (pause > 0) throw new Parked(host, pause);
  const permit = await enterOrPark({ egress }, host, options.signal);
  try {
    const fetched = await egress.fetch(url, options);
    egress.hosts.report(host, { ok: true });
    return fetched;
  } catch (error) {
    options.signal.throwIfAborted();
    const { code, facts } = asProblem(error);
    egress.hosts.report(host, { ok: false, code, httpStatus: facts.httpStatus, retryAfterMs: facts.retryAfterMs });
    throw error;
  } finally {
    permit.release();
  }
}

/** While an image queued for its turn, the host may have asked for a pause: that is no fault of the image. */
async function enterOrPark({ egress }: Uses<'egress'>, host: string, signal: AbortSignal) {
  try {
    return await egress.hosts.enter(host, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw new Parked(host, asProblem(error).facts.retryAfterMs ?? egress.hosts.blockedFor(host));
  }
}

async function readUpload(app: Uses<'storage'>, upload: string, signal: AbortSignal): Promise<SourceBytes> {
  try {
    const found = await readWhole(app, upload, signal);
    if (found) return found;
  } catch (error) {
    signal.throwIfAborted();
    throw faultOfStorage(error);
  }
  throw problem('expired');
}

async function readWhole({ storage }: Uses<'storage'>, upload: string, signal: AbortSignal) {
  const stored = await storage.open(keyOf(upload));
  if (!stored) return undefined;
  const chunks: Buffer[] = [];
  const hash = createHash('sha256');
  for await (const chunk of stored.body) {
    signal.throwIfAborted();
    chunks.push(chunk as Buffer);
    hash.update(chunk as Buffer);
  }
  return { chunks, bytes: stored.bytes, sha256: hash.digest() };
}
