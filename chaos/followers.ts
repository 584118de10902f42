// followers.ts — readers of the news that are cut off again and again and come back with the last id they have seen.

import { setTimeout as sleep } from 'node:timers/promises';
import { openStream, type Stream } from '../test/support/follow.ts';
import { seeded } from './chance.ts';

export type Follower = {
  /** Ids in the order in which they were heard. */
  heard: number[];
  /** How often it had to begin anew, and how often it was cut off. */
  resets: number;
  cuts: number;
  /** The last id it knows. */
  last(): string;
};

export type Followers = {
  all: Follower[];
  /** From now on nobody cuts them. */
  calm(): void;
  stop(): Promise<void>;
};

const types = 'batch.created,batch.finished,batch.deleted,image.succeeded,image.failed,image.canceled';

export function openFollowers(urls: string[], count: number, seed: number): Followers {
  const all: Follower[] = [];
  const over = new AbortController();
  let cutting = true;
  const following = Array.from({ length: count }, async (_, index) => {
    let [last, stream]: [string, Stream | undefined] = ['0', undefined];
    const follower: Follower = { heard: [], resets: 0, cuts: 0, last: () => stream?.lastId() ?? last };
    all.push(follower);
    const chance = seeded(seed, `follower ${index}`);
    while (!over.signal.aborted) {
      stream = await openStream(`${chance.oneOf(urls)}/v1/events?types=${types}`, last).catch(() => undefined);
      if (!stream) {
        await sleep(200);
        continue;
      }
      await untilCut(stream, {
        ms: chance.between(500, 4_000),
        isOver: () => over.signal.aborted,
        mayCut: () => cutting,
      });
      stream.cut();
      await stream.over;
      follower.cuts += 1;
      last = stream.lastId();
      note(follower, stream);
    }
  });
  return {
    all,
    calm: () => void (cutting = false),
    async stop() {
      over.abort();
      await Promise.all(following);
    },
  };
}

async function untilCut(
  stream: Stream,
  { ms, isOver, mayCut }: { ms: number; isOver: () => boolean; mayCut: () => boolean },
): Promise<void> {
  const ended = new AbortController();
  void stream.over.then(() => ended.abort());
  for (const until = performance.now() + ms; !ended.signal.aborted && !isOver(); await sleep(50))
    if (mayCut() && performance.now() > until) return;
}

function note(follower: Follower, { told }: Stream): void {
  for (const { id, type } of told) {
    if (type === 'reset') follower.resets += 1;
    else if (id !== undefined) follower.heard.push(Number(id));
  }
}
