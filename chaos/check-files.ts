// check-files.ts — what was stored: each result whole, with the size and the colour that its number demands; and nothing else.

import { createHash } from 'node:crypto';
import sharp from 'sharp';
import type { Case } from './check.ts';
import type { Findings } from './findings.ts';
import { numberOf } from './outside.ts';
import { lookOf } from './pictures.ts';
import type { FileRow } from './snapshot.ts';

/** What an encoder at middling quality may do to one flat colour. */
const tolerance = 9;

export async function judgeFiles(all: Case, findings: Findings): Promise<void> {
  const files = new Map(all.files.map((file) => [file.name, file]));
  const renditions = Map.groupBy(all.renditions, ({ image_id }) => image_id);
  const deleted = new Set(all.batches.filter(({ chore }) => chore === 'delete').map(({ id }) => id));
  const judged = new Map<string, string | undefined>();
  for (const image of all.images) {
    const results = renditions.get(image.id) ?? [];
    const what = `image ${image.id}`;
    if (image.state !== 'succeeded') {
      if (results.length > 0) findings.add('torn', `${what} is ${image.state} and has a result`);
      continue;
    }
    if (deleted.has(image.batch_id)) continue;
    if (results.length !== 1) findings.add('torn', `${what} succeeded with ${results.length} results`);
    const n = numberOf(image.source_url ?? image.name ?? '');
    for (const { file } of results) {
      const key = `${file} ${n}`;
      if (!judged.has(key)) judged.set(key, await faultOf(all, files.get(file ?? ''), n));
      const fault = judged.get(key);
      if (fault) findings.add('torn', `${what}, file ${file}: ${fault}`);
    }
  }
  judgeOrphans(all, findings);
}

async function faultOf(all: Case, file: FileRow | undefined, n: number): Promise<string | undefined> {
  if (!file) return 'has no row';
  const bytes = await all.read(file.name);
  if (!bytes) return 'is not there';
  if (bytes.length !== file.bytes) return `has ${bytes.length} bytes, its row says ${file.bytes}`;
  if (createHash('sha256').update(bytes).digest('hex') !== file.sha256) return 'has other bytes than its row says';
  try {
    const { info, data } = await sharp(bytes).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    const { width, height, red, green, blue } = lookOf(n);
    const means = [0, 1, 2].map((channel) => meanOf(data, channel));
    const isThis = [red, green, blue].every((shade, at) => Math.abs(shade - (means[at] ?? 0)) <= tolerance);
    if (info.width === width && info.height === height && isThis) return undefined;
    return `is ${info.width}x${info.height} of ${means.join()}, not ${width}x${height} of ${[red, green, blue].join()} (${n})`;
  } catch (error) {
    return `cannot be decoded: ${(error as Error).message}`;
  }
}

function meanOf(pixels: Buffer, channel: number): number {
  let sum = 0;
  for (let at = channel; at < pixels.length; at += 3) sum += pixels[at] ?? 0;
  return Math.round(sum / (pixels.length / 3));
}

/** After a sweep and a scrub storage and table hold the same names, and every result has a user. */
function judgeOrphans({ files, objects }: Case, findings: Findings): void {
  const names = new Set(files.map(({ name }) => name));
  for (const name of objects) if (!names.has(name)) findings.add('orphans', `object ${name} has no row`);
  for (const { name, kind, used } of files) {
    if (!objects.has(name)) findings.add('orphans', `${kind} ${name} has a row and no object`);
    // An upload that no batch named may lie there for a day.
    else if (!used && kind !== 'source') findings.add('orphans', `${kind} ${name} has no user and is not in the trash`);
  }
}
