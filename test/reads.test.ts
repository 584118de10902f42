// What is told about batches: causes, counts and progress, at a cost that does not grow with what is asked about.

import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { retryBatch } from '../src/batches/change.ts';
import { startHeart } from '../src/batches/housekeeping.ts';
import { newId } from '../src/batches/ids.ts';
import { failureGroups, failureSummary, progressOf, workload } from '../src/batches/read.ts';
import type { App } from '../src/app.ts';
import { doChore } from './support/batches.ts';
import { onEachDatabase, silent } from './support/databases.ts';
import { ended, failure, openHouse, success, type House } from './support/house.ts';

async function failAll(house: House, count: number, cause: (n: number) => string): Promise<string> {
  const { id } = await house.submitMany(count);
  await sql`
    update images set state = 'failed', error_code = cause, error_host = 'h' || n
    from jsonb_to_recordset(${JSON.stringify(Array.from({ length: count }, (_, n) => ({ n: n + 1, cause: cause(n + 1) })))}::jsonb)
      as c(n int, cause text)
    where batch_id = ${id} and position = n`.execute(house.app.db.query);
  await sql`update batches set state = 'failed', failed = ${count}, finished_at = now() where id = ${id}`.execute(
    house.app.db.query,
  );
  return id;
}

onEachDatabase((engine) => {
  describe('failures', () => {
    test('are grouped by cause and host with at most five examples of each', async () => {
      await using house = await openHouse(engine);
      const worker = newId();
      const { id } = await house.submitMany(9);
      const items = await house.claimAs(worker);
      await house.settleAs(
        worker,
        items.map((item, n) => ended(item, n < 7 ? failure('not_found') : { kind: 'failed', code: 'corrupt_image' })),
      );
      const [first, second, ...others] = await failureGroups(house.app, id);
      expect(first).toMatchObject({ code: 'not_found', host: 'pictures.example', count: 7 });
      expect(first!.exampleImageIds.length).toBe(5);
      expect(items.slice(0, 7).map((item) => item.id)).toEqual(expect.arrayContaining(first!.exampleImageIds));
      expect(second).toEqual({
        code: 'corrupt_image',
        host: null,
        count: 2,
        exampleImageIds: items.slice(7).map((item) => item.id),
      });
      expect(others).toEqual([]);
    });

    test('of more hosts than are shown are all in the summary', async () => {
      await using house = await openHouse(engine);
      const id = await failAll(house, 150, (n) => (n <= 100 ? 'not_found' : 'timeout'));
      expect((await failureGroups(house.app, id)).length).toBe(100);
      expect(await failureSummary(house.app, await house.batch(id))).toBe(
        'All 150 images failed: 100 x not_found, 50 x timeout',
      );
    });

    test('are put back by a retry of everything, as many as the counters say', async () => {
      await using house = await openHouse(engine);
      const id = await failAll(house, 700, () => 'timeout');
      expect((await retryBatch(house.app, id, {})).retried).toBe(700);
      await doChore(house);
      expect(await house.batch(id)).toMatchObject({ state: 'running', counts: { failed: 0 } });
      expect((await house.images(id)).every(({ state }) => state === 'queued')).toBe(true);
    });
  });

  describe('progress', () => {
    test("names the host for which the batch itself waits, never one of another's", async () => {
      await using house = await openHouse(engine);
      const worker = newId();
      const mine = await house.submitMany(2, { owner: 'shop' });
      const [item] = await house.claimAs(worker, 1);
      const other = await house.submitMany(1, { owner: 'rival' });
      const rest = await house.claimAs(worker, 5);
      const theirs = rest.find(({ batchId }) => batchId === other.id);
      await sql`insert into hosts (host, blocked_until) values ('secret.example', now() + interval '1 hour')`.execute(
        house.app.db.query,
      );
      await house.settleAs(worker, [
        ended(item!, { kind: 'park', waitMs: 60_000, host: 'slow.example' }),
        ended(theirs!, { kind: 'park', waitMs: 600_000, host: 'secret.example' }),
      ]);
      expect(await progressOf(house.app, await house.batch(mine.id))).toMatchObject({ slowestHost: 'slow.example' });
    });

    test('and the workload come from the counters', async () => {
      await using house = await openHouse(engine);
      const worker = newId();
      const { id } = await house.submitMany(4);
      const [one] = await house.claimAs(worker, 2);
      await house.settleAs(worker, [ended(one!, success())]);
      expect(await progressOf(house.app, await house.batch(id))).toMatchObject({
        percent: 25,
        imagesPerSecond: expect.any(Number),
      });
      expect(await workload(house.app)).toMatchObject({ waiting: 2, running: 1, workers: { alive: 1, silent: 0 } });
    });
  });

  test('a heart that fails is not steady, however long it has beaten before', async () => {
    await using house = await openHouse(engine);
    const stop = new AbortController();
    const now = performance.now.bind(performance);
    let ahead = 0;
    performance.now = () => now() + ahead;
    try {
      const app = house.app as unknown as App;
      const heart = startHeart(app, {
        worker: newId(),
        busy: () => 0,
        died: () => {},
        log: silent,
        signal: stop.signal,
      });
      ahead = 60_000;
      expect(heart.steadyMs()).toBe(0);
      stop.abort();
      await heart.done;
    } finally {
      performance.now = now;
    }
  });
});
