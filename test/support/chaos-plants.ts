// chaos-plants.ts — wrongs that are planted into what a clean run has left, one of each kind that a judge must see.

import type { Witnesses } from '../../chaos/check.ts';
import type { Wrong } from '../../chaos/findings.ts';
import { numberOf } from '../../chaos/outside.ts';
import { fateOf } from '../../chaos/pictures.ts';
import type { ImageRow, Snapshot } from '../../chaos/snapshot.ts';

type Judged = [Snapshot, Witnesses];
export type Plant = { what: string; wrong: Wrong; plant: (...seen: Judged) => Judged };

const isGood = (image: ImageRow): boolean =>
  image.state === 'succeeded' && image.source_url !== null && fateOf(numberOf(image.source_url)) === 'fine';

/** An innocent that succeeded, changed. */
function withImage(snapshot: Snapshot, change: (image: ImageRow) => Partial<ImageRow>): Snapshot {
  const at = snapshot.images.findIndex(isGood);
  const image = snapshot.images[at];
  if (!image) throw new Error('No innocent picture succeeded: there is nothing to plant a wrong in.');
  return { ...snapshot, images: snapshot.images.with(at, { ...image, ...change(image) }) };
}

/** The file of that innocent, read as `change` makes it. */
function withFile(snapshot: Snapshot, change: (bytes: Buffer) => Buffer | undefined): Snapshot {
  const image = snapshot.images.find(isGood);
  const file = snapshot.renditions.find(({ image_id }) => image_id === image?.id)?.file;
  const read: Snapshot['read'] = async (name) => {
    const bytes = await snapshot.read(name);
    return name === file && bytes ? change(bytes) : bytes;
  };
  return { ...snapshot, read };
}

const on = (what: string, wrong: Wrong, change: (snapshot: Snapshot) => Snapshot): Plant => ({
  what,
  wrong,
  plant: (snapshot, witnesses) => [change(snapshot), witnesses],
});

export const plants: Plant[] = [
  on('a batch that is gone', 'lost', (seen) => ({ ...seen, batches: seen.batches.slice(1) })),
  on('a row that is gone', 'lost', (seen) => ({ ...seen, images: seen.images.slice(1) })),
  on('a batch that nobody ordered', 'duplicated', (seen) => {
    const [first] = seen.batches;
    return { ...seen, batches: first ? [...seen.batches, { ...first, id: 'another' }] : [] };
  }),
  on('an image without an end', 'stuck', (seen) => withImage(seen, () => ({ state: 'running' }))),
  on('an end that was told twice', 'duplicated', (seen) => {
    const told = seen.events.filter(({ images }) => images !== null);
    return { ...seen, events: [...seen.events, ...told.slice(0, 1)] };
  }),
  on('an end that was never told', 'eventsMissed', (seen) => {
    const at = seen.events.findIndex(({ images }) => images !== null);
    return { ...seen, events: seen.events.toSpliced(at, 1) };
  }),
  on('a file that is gone', 'torn', (seen) => withFile(seen, () => undefined)),
  on('a file that was cut off', 'torn', (seen) => withFile(seen, (bytes) => bytes.subarray(0, -1))),
  on('a file with a bit turned', 'torn', (seen) =>
    withFile(seen, (bytes) => Buffer.from(bytes.map((byte, at) => (at === 60 ? byte ^ 1 : byte)))),
  ),
  on("another picture's result", 'torn', (seen) =>
    withImage(seen, ({ source_url: url }) => ({ source_url: url?.replace(/\d+\.png/, '1.png') ?? null })),
  ),
  on('a counter that is wrong', 'miscounted', (seen) => ({
    ...seen,
    batches: seen.batches.map((batch, at) => (at === 0 ? { ...batch, failed: batch.failed + 1 } : batch)),
  })),
  on('an innocent that failed', 'innocentsFailed', (seen) =>
    withImage(seen, () => ({ state: 'failed', error_code: 'worker_lost' })),
  ),
  on('a try that our own house has cost', 'attemptsWasted', (seen) =>
    withImage(seen, ({ attempts_left: left }) => ({ attempts_left: left - 1 })),
  ),
  on('an object without a row', 'orphans', (seen) => ({ ...seen, objects: new Set([...seen.objects, 'nobody.jpg']) })),
  on('a result that nobody uses', 'orphans', (seen) => ({
    ...seen,
    files: seen.files.map((file, at) =>
      at === seen.files.findLastIndex(({ kind }) => kind === 'result') ? { ...file, used: false } : file,
    ),
  })),
  {
    what: 'an event that a follower never heard',
    wrong: 'eventsMissed',
    plant: (seen, witnesses) => [
      seen,
      { ...witnesses, followers: witnesses.followers.map((each) => ({ ...each, heard: each.heard.slice(1) })) },
    ],
  },
  {
    what: 'an event that a follower heard twice',
    wrong: 'duplicated',
    plant: (seen, witnesses) => [
      seen,
      {
        ...witnesses,
        followers: witnesses.followers.map((each) => ({ ...each, heard: [...each.heard, ...each.heard.slice(-1)] })),
      },
    ],
  },
  {
    what: 'webhooks that never came',
    wrong: 'webhooksMissing',
    plant: (seen, all) => [seen, { ...all, arrived: new Map() }],
  },
];
