// Work that was done already is not done again; but what one owner has, another must not learn from it.

import { CompiledQuery, sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import type { Claimed } from '../src/batches/claim.ts';
import { newFileName, newId } from '../src/batches/ids.ts';
import { findSameUrls, openReuse, sharedOutcome, workKey } from '../src/batches/reuse.ts';
import type { Outcome } from '../src/batches/settle.ts';
import { onEachDatabase } from './support/databases.ts';
import { compress, ended, failure, openHouse, success, type House } from './support/house.ts';

type Success = Extract<Outcome, { kind: 'succeeded' }>;

const bytes = Buffer.alloc(32, 7);

/** A success of `item` whose source had these bytes: its result is found by its work key. */
function known(item: Claimed, sha256 = bytes): Success {
  const made = success() as Success;
  const renditions = item.renditions.map(({ name, recipe }) => ({
    ...made.renditions[0]!,
    name,
    file: newFileName('jpg'),
    workKey: workKey(item.owner, sha256, recipe),
  }));
  return { ...made, source: { ...made.source, sha256 }, renditions };
}

async function settleFirst(house: House, owner: string): Promise<Success> {
  const worker = newId();
  await house.submitMany(1, { owner });
  const [item] = await house.claimAs(worker, 1);
  const outcome = known(item!);
  await house.settleAs(worker, [ended(item!, outcome)]);
  return outcome;
}

async function claimNext(house: House, owner: string, more = {}): Promise<Claimed> {
  await house.submitMany(1, { owner, ...more });
  const [item] = await house.claimAs(newId(), 1);
  return item!;
}

type Plan = { 'Actual Rows': number; 'Relation Name'?: string; Plans?: Plan[] };

/** The most rows that any step of the query's plan really read from the table. */
async function mostRows(house: House, { sql: text, parameters }: CompiledQuery, table: string): Promise<number> {
  const explain = CompiledQuery.raw(`explain (analyze, format json) ${text}`, [...parameters]);
  const { rows } = await house.app.db.query.executeQuery<{ 'QUERY PLAN': { Plan: Plan }[] }>(explain);
  const most = (plan: Plan): number =>
    Math.max(plan['Relation Name'] === table ? plan['Actual Rows'] : 0, ...(plan.Plans ?? []).map(most));
  return most(rows[0]!['QUERY PLAN'][0]!.Plan);
}

describe('a work key', () => {
  test('is another one for another owner, source or recipe, and the same for the same', () => {
    const key = workKey('shop', bytes, compress.recipe);
    expect(workKey('shop', Buffer.alloc(32, 7), structuredClone(compress.recipe))).toBe(key);
    const others = [
      workKey('', bytes, compress.recipe),
      workKey('shop2', bytes, compress.recipe),
      workKey('shop', Buffer.alloc(32, 8), compress.recipe),
      workKey('shop', bytes, { ops: [], out: { format: 'keep', quality: 51 } }),
    ];
    expect(new Set([key, ...others]).size).toBe(5);
    expect(key).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  });
});

onEachDatabase((engine) => {
  describe('the same bytes', () => {
    test('with the same recipe give the same file to the same owner, in another batch', async () => {
      await using house = await openHouse(engine);
      const first = await settleFirst(house, 'shop');
      const found = await openReuse(house.app).find(await claimNext(house, 'shop'), bytes);
      expect(found).toMatchObject({
        kind: 'succeeded',
        renditions: [{ file: first.renditions[0]!.file, fresh: false }],
      });
    });

    test('tell another owner nothing', async () => {
      await using house = await openHouse(engine);
      await settleFirst(house, 'shop');
      const reuse = openReuse(house.app);
      expect(await reuse.find(await claimNext(house, 'rival'), bytes)).toBeUndefined();
      expect(await reuse.find(await claimNext(house, ''), bytes)).toBeUndefined();
    });

    test('are worked on when one rendition of several is new', async () => {
      await using house = await openHouse(engine);
      await settleFirst(house, 'shop');
      const small = { name: 'small', recipe: { ops: [], out: { format: 'keep' as const, quality: 10 } } };
      const item = await claimNext(house, 'shop', { renditions: [compress, small] });
      expect(await openReuse(house.app).find(item, bytes)).toBeUndefined();
    });

    test('are worked on when the known file is being removed', async () => {
      await using house = await openHouse(engine);
      await settleFirst(house, 'shop');
      await sql`update files set gone_at = now()`.execute(house.app.db.query);
      expect(await openReuse(house.app).find(await claimNext(house, 'shop'), bytes)).toBeUndefined();
    });

    test('are looked up one row a key, however many images have them', async () => {
      await using house = await openHouse(engine);
      await settleFirst(house, 'shop');
      await house.submitMany(400, { owner: 'shop' });
      await sql`
        insert into renditions (image_id, name, file, work_key, width, height, details)
        select i.id, r.name, r.file, r.work_key, 1, 1, r.details from images i, renditions r where i.state = 'queued'`.execute(
        house.app.db.query,
      );
      const asked: CompiledQuery[] = [];
      const { query } = house.app.db;
      const listening = query.withPlugin({
        transformQuery: ({ node, queryId }) => {
          asked.push(query.getExecutor().compileQuery(node, queryId));
          return node;
        },
        transformResult: async ({ result }) => result,
      });
      const reuse = openReuse({ db: { ...house.app.db, query: listening } });
      expect(await reuse.find(await claimNext(house, 'shop'), bytes)).toMatchObject({ kind: 'succeeded' });
      expect(await mostRows(house, asked.at(-1)!, 'renditions')).toBeLessThanOrEqual(1);
    });
  });

  describe('the same URL', () => {
    async function twoOf(house: House, outcome: Outcome) {
      const worker = newId();
      const url = 'https://shop.example/1.jpg';
      await house.submit([{ source: { url } }, { source: { url } }, { source: { url: `${url}?2` } }]);
      const [first] = await house.claimAs(worker, 1);
      await house.settleAs(worker, [ended(first!, outcome)]);
      return house.claimAs(worker, 2);
    }

    test('in the same batch is not fetched again once it has succeeded', async () => {
      await using house = await openHouse(engine);
      const outcome = success() as Success;
      const [twin, other] = await twoOf(house, outcome);
      const found = await findSameUrls(house.app, [twin!, other!]);
      expect([...found.keys()]).toEqual([twin!.id]);
      expect(found.get(twin!.id)).toMatchObject({
        source: { sha256: outcome.source.sha256 },
        renditions: [{ file: outcome.renditions[0]!.file, fresh: false }],
      });
    });

    test('is fetched again after a failure, and when the result has expired', async () => {
      await using house = await openHouse(engine);
      expect((await findSameUrls(house.app, await twoOf(house, failure('not_found')))).size).toBe(0);
      const twins = await twoOf(house, success());
      await sql`update renditions set file = null`.execute(house.app.db.query);
      expect((await findSameUrls(house.app, twins)).size).toBe(0);
    });

    test('in another batch of another owner is no twin', async () => {
      await using house = await openHouse(engine);
      await twoOf(house, success());
      const item = await claimNext(house, 'rival');
      await sql`update images set source_url = 'https://shop.example/1.jpg'`.execute(house.app.db.query);
      const asked = { ...item, source: { url: 'https://shop.example/1.jpg' } };
      expect((await findSameUrls(house.app, [asked])).size).toBe(0);
    });
  });
});

test('what a twin shares is never its own file, and a failure is shared as it is', () => {
  const first = success() as Success;
  expect(sharedOutcome(first)).toMatchObject({ renditions: [{ file: first.renditions[0]!.file, fresh: false }] });
  expect(sharedOutcome(failure('not_found'))).toEqual(failure('not_found'));
});
