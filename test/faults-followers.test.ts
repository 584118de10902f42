// faults-followers.test.ts — fault 51 of the reliability table: followers are cut, and the server they follow is killed.
//
// DARKROOM_TEST_ROUNDS=50 makes the long run. Cuts over a restart in order stand in events-stream.test.ts, too.

import { describe, expect, test } from 'vitest';
import { openCluster, type Cluster } from './support/cluster.ts';
import { databaseEngines, emptyPostgres } from './support/databases.ts';
import { rounds, tellFigures } from './support/figures.ts';
import { openStream, openTalk, type Stream, type Talk } from './support/follow.ts';
import { openGallery } from './support/gallery.ts';

const picturesPerRound = 4;

describe.skipIf(!databaseEngines.includes('postgres'))('on PostgreSQL', () => {
  test(
    `fault 51: who was cut goes on by its last id and hears of each end once (${rounds} rounds)`,
    { timeout: 120_000 + rounds * 30_000 },
    async () => {
      await using gallery = await openGallery();
      const postgres = await emptyPostgres();
      {
        await using house = await openCluster({ databaseUrl: postgres.url, env: {} });
        await house.hire();
        const [byStream, bySocket] = [followByStream(), followBySocket()];
        const sent: string[] = [];
        for (let round = 0; round < rounds; round += 1) {
          await Promise.all([byStream.goOn(house.api.url), bySocket.goOn(house.api.url)]);
          sent.push(...(await upload(house, gallery.url, round)));
          // Something may have been told, or not: both are cut wherever they are.
          if (round % 2 === 0) {
            await house.api.end('SIGKILL');
            await house.serveAgain();
          }
          await Promise.all([byStream.cut(), bySocket.cut()]);
          if (round % 3 === 0) sent.push(...(await upload(house, gallery.url, rounds + round)));
        }
        await Promise.all([byStream.goOn(house.api.url), bySocket.goOn(house.api.url)]);
        const told = { timeout: 60_000, interval: 100 };
        await expect.poll(() => byStream.ends().length, told).toBeGreaterThanOrEqual(sent.length);
        await expect.poll(() => bySocket.ends().length, told).toBeGreaterThanOrEqual(sent.length);
        await Promise.all([byStream.cut(), bySocket.cut()]);
        const [missedByStream, missedBySocket] = [byStream, bySocket].map(
          ({ ends }) => sent.filter((id) => !ends().includes(id)).length,
        );
        tellFigures(`fault 51, ${sent.length} ends`, { rounds, lost: (missedByStream ?? 0) + (missedBySocket ?? 0) });
        expect(byStream.ends().toSorted()).toEqual(sent.toSorted());
        expect(bySocket.ends().toSorted()).toEqual(sent.toSorted());
      }
      await postgres.drop();
    },
  );
});

/** Uploads some pictures; the ids of their images. */
async function upload({ api }: Cluster, url: (n: number) => string, round: number): Promise<string[]> {
  const form = new FormData();
  for (let n = 1; n <= picturesPerRound; n += 1) {
    const picture = await fetch(url(round * picturesPerRound + n)).then((answer) => answer.blob());
    form.append('images', picture, `${n}.jpg`);
  }
  const answer = await fetch(`${api.url}/api/async/upload`, { method: 'POST', body: form });
  const { images } = (await answer.json()) as { images: { job_id: string }[] };
  return images.map(({ job_id: id }) => id);
}

type Follower = { goOn(url: string): Promise<void>; cut(): Promise<unknown>; ends(): string[] };

function followByStream(): Follower {
  const streams: Stream[] = [];
  return {
    async goOn(url) {
      streams.push(await openStream(`${url}/v1/events`, streams.at(-1)?.lastId() ?? '0'));
    },
    async cut() {
      streams.at(-1)?.cut();
      await streams.at(-1)?.over;
    },
    ends: () =>
      streams
        .flatMap(({ told }) => told)
        .filter(({ type }) => /^image\.(succeeded|failed)$/.test(type))
        .map(({ data }) => String(data.data.image_id)),
  };
}

function followBySocket(): Follower {
  const talks: Talk[] = [];
  const heard = () => talks.flatMap((talk) => talk.heard);
  const last = () => heard().findLast(({ event_id: id }) => id !== undefined)?.event_id ?? '0';
  return {
    async goOn(url) {
      talks.push(await openTalk(`${url}/ws/upload?since=${last()}`));
    },
    async cut() {
      talks.at(-1)?.cut();
      await talks.at(-1)?.closed;
    },
    ends: () =>
      heard()
        .filter(({ status }) => status === 'completed' || status === 'error')
        .map(({ job_id: id }) => String(id)),
  };
}
