// faults-uploads.test.ts — fault 3 of the reliability table: the serving process is killed in the midst of an upload.
//
// DARKROOM_TEST_ROUNDS=100 makes the long run: as many places in the upload, the last of them after its end.

import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { openCluster, type Cluster } from './support/cluster.ts';
import { databaseEngines, emptyPostgres } from './support/databases.ts';
import { rounds, tellFigures } from './support/figures.ts';
import { openGallery } from './support/gallery.ts';

/** Each a part of the request; 1 is all of it. */
const places = rounds > 1 ? Array.from({ length: rounds }, (_, n) => (n + 1) / rounds) : [0.6, 1];
const pictures = 6;

describe.skipIf(!databaseEngines.includes('postgres'))('on PostgreSQL', () => {
  test(
    `fault 3: killed in the midst of an upload, what was acknowledged is whole and of the rest nothing stays (${places.length} rounds)`,
    { timeout: 120_000 + places.length * 30_000 },
    async () => {
      await using gallery = await openGallery();
      const request = await uploadOf(gallery.url);
      const postgres = await emptyPostgres();
      {
        await using house = await openCluster({ databaseUrl: postgres.url, env: {} });
        let acknowledged = 0;
        for (const place of places) {
          const before = await countBatches(house);
          const isAnswered = await sendAndKill(house, request, place);
          await house.serveAgain();
          const made = (await countBatches(house)) - before;
          expect([place, made, isAnswered]).toEqual(place < 1 ? [place, 0, false] : [place, 1, true]);
          acknowledged += made;
        }
        const left = (await house.ask(`select 1 from files`)).length + (await house.orphans()).length;
        await house.tidy();
        expect(await house.orphans()).toEqual([]);
        const lost = (await house.missing('source')).length;
        tellFigures(
          `fault 3, ${acknowledged} acknowledged, ${left - acknowledged * pictures} files of the others taken away`,
          {
            rounds: places.length,
            lost,
          },
        );
        expect(lost).toBe(0);
        const sources = await house.ask(`select 1 from files where kind = 'source'`);
        expect(sources).toHaveLength(acknowledged * pictures);
      }
      await postgres.drop();
    },
  );
});

const countBatches = async (house: Cluster) => (await house.ask('select 1 from batches')).length;

/** A whole request with some pictures, as bytes. */
async function uploadOf(url: (n: number) => string): Promise<Buffer> {
  const form = new FormData();
  for (let n = 1; n <= pictures; n += 1)
    form.append('images', await fetch(url(n)).then((answer) => answer.blob()), `${n}.jpg`);
  const { headers, body } = new Response(form) as { headers: Headers; body: ReadableStream<Uint8Array> };
  const bytes = Buffer.concat(await Array.fromAsync(body));
  const head = [
    'POST /api/async/upload HTTP/1.1',
    'Host: localhost',
    `Content-Type: ${headers.get('content-type')}`,
    `Content-Length: ${bytes.length}`,
  ];
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), bytes]);
}

/** Sends that part of the request, and kills the server when it has had a moment for it; whether it was acknowledged. */
async function sendAndKill({ api }: Cluster, request: Buffer, place: number): Promise<boolean> {
  const part = request.subarray(0, Math.round(place * request.length));
  const socket = connect(Number(new URL(api.url).port), '127.0.0.1').on('error', () => {});
  let answer = '';
  const answered = new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      answer += String(chunk);
      resolve();
    });
  });
  await new Promise<void>((resolve) => void socket.write(part, () => resolve()));
  await Promise.race([answered, sleep(place < 1 ? 300 : 30_000)]);
  await api.end('SIGKILL');
  socket.destroy();
  return /^HTTP\/1.1 2/.test(answer);
}
