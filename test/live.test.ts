// The hub under a storm: many writers, two hubs, followers that are cut again and again, readers that do not read.

import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { newId } from '../src/batches/ids.ts';
import type { NewsFilter, Told } from '../src/batches/read-events.ts';
import { openDatabase } from '../src/db/open.ts';
import { openLive, type Live } from '../src/http/live.ts';
import type { EndOfFollowing } from '../src/http/live-seat.ts';
import { openEvents } from '../src/notify/events.ts';
import { openTeller } from '../src/notify/running.ts';
import { onEachDatabase, silent, type EngineName } from './support/databases.ts';
import { ended, failure, openHouse, retry, success, type House } from './support/house.ts';

/** A hub as another process would have it: with a connection of its own where the database allows. */
async function openHub(house: House) {
  const { url } = house.app.db;
  const own = url === '' ? undefined : await openDatabase({ url, dataDir: '', pool: 2, log: silent });
  const db = own ?? house.app.db;
  const events = await openEvents(db, silent);
  const live = openLive({ db, events, log: silent });
  return {
    live,
    async [Symbol.asyncDispose]() {
      await live.close();
      await events.close();
      await own?.close();
    },
  };
}

async function openTwoHubs(engine: EngineName) {
  const stack = new AsyncDisposableStack();
  const house = stack.use(await openHouse(engine));
  const hubs = [stack.use(await openHub(house)), stack.use(await openHub(house))];
  return {
    house,
    hub: (n: number): Live => hubs[n % 2]!.live,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

type Heard = { told: Told[]; begun: { at: number; whole: boolean }[]; why: EndOfFollowing[] };

async function listen(
  live: Live,
  more: { after?: number; filter?: NewsFilter; unsent?: () => number; mayFollow?: () => Promise<boolean> } = {},
) {
  const heard: Heard = { told: [], begun: [], why: [] };
  const following = await live.follow<true>({
    filter: more.filter ?? {},
    after: more.after,
    begin: (at, whole) => void heard.begun.push({ at, whole }),
    say: async () => true,
    hear: (_words, told) => void heard.told.push(told),
    unsent: more.unsent ?? (() => 0),
    mayFollow: more.mayFollow ?? (async () => true),
    end: (why) => void heard.why.push(why),
  });
  return { ...heard, ...following };
}

async function until(holds: () => boolean): Promise<void> {
  for (const end = performance.now() + 30_000; !holds() && performance.now() < end;) await sleep(20);
  expect(holds()).toBe(true);
}

/** Submits batches and ends their images, some of each kind at a time; gives the ends as they were settled. */
async function write(house: House, rounds: number, owner = ''): Promise<string[]> {
  const worker = newId();
  const settled: string[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await house.submitMany(7, { owner });
    const items = await house.claimAs(worker, 9);
    const bad = (id: string) => id.charCodeAt(id.length - 1) % 3 === 0;
    const outcomes = items.map((item) => ended(item, bad(item.id) ? failure('not_found') : success()));
    for (const id of await house.settleAs(worker, outcomes))
      settled.push(`${id} image.${bad(id) ? 'failed' : 'succeeded'}`);
  }
  return settled;
}

const endsOf = (told: Told[]): string[] =>
  told.flatMap(({ id, type, imageId }) => (id !== null && imageId !== null ? [`${imageId} ${type}`] : []));
const kept = (told: Told[]): number[] => told.flatMap(({ id }) => id ?? []);

onEachDatabase((engine) => {
  test('4 writers, 2 hubs, 50 cuts: each end once, in one order', { timeout: 60_000 }, async () => {
    await using house = await openTwoHubs(engine);
    const steady = await listen(house.hub(0));
    const told: Told[] = [];
    let after = steady.begun[0]!.at;
    const writing = { goesOn: true };
    const cut = async () => {
      for (let n = 0; n < 50 || writing.goesOn; n += 1) {
        const part = await listen(house.hub(n), { after });
        await sleep((n * 7) % 30);
        part.stop();
        after = part.at();
        told.push(...part.told);
      }
    };
    const cutting = cut();
    const settled = (
      await Promise.all([1, 2, 3, 4].map(() => write(house.house, engine === 'pglite' ? 6 : 12)))
    ).flat();
    writing.goesOn = false;
    await cutting;
    const rest = await listen(house.hub(1), { after });
    await until(
      () => endsOf([...told, ...rest.told]).length >= settled.length && endsOf(steady.told).length >= settled.length,
    );
    told.push(...rest.told);
    expect(endsOf(told).toSorted()).toEqual(settled.toSorted());
    expect(endsOf(steady.told)).toEqual(endsOf(told));
    expect(kept(told)).toEqual([...new Set(kept(told))].toSorted((a, b) => a - b));
  });

  test('followers see only what their owner may see, live and afterwards', async () => {
    await using house = await openTwoHubs(engine);
    const mine = await listen(house.hub(0), { filter: { owner: 'shop' } });
    await write(house.house, 2, 'stranger');
    const settled = await write(house.house, 1, 'shop');
    await until(() => endsOf(mine.told).length === settled.length);
    const late = await listen(house.hub(1), { filter: { owner: 'shop' }, after: 0 });
    await until(() => endsOf(late.told).length === settled.length);
    for (const { told } of [mine, late]) {
      expect(new Set(told.map(({ owner }) => owner))).toEqual(new Set(['shop']));
      expect(endsOf(told).toSorted()).toEqual(settled.toSorted());
    }
  });

  test('a follower that does not read is dropped, and the others go on', async () => {
    await using house = await openTwoHubs(engine);
    const stuck = await listen(house.hub(0), { unsent: () => 2 * 1024 ** 2 });
    const other = await listen(house.hub(0));
    const settled = await write(house.house, 1);
    await until(() => endsOf(other.told).length === settled.length);
    expect(stuck.why).toEqual(['slow']);
    expect(stuck.told).toHaveLength(1);
    expect(other.why).toEqual([]);
  });

  test('of what is said to be at work only what is so is told, and a try to come is told as such', async () => {
    await using house = await openTwoHubs(engine);
    const worker = newId();
    const teller = await openTeller(house.house.app.db, silent);
    const follower = await listen(house.hub(0), {
      filter: { types: new Set(['image.running', 'image.retrying', 'image.succeeded']) },
    });
    await house.house.submitMany(3);
    const [one, two, three] = await house.house.claimAs(worker, 3);
    await house.house.settleAs(worker, [ended(one!, success()), ended(two!, retry('timeout', 60_000))]);
    const all = [one!.id, two!.id, three!.id];
    // Nobody hears a worker that has not been asked; it is asked again and again.
    await until(() => {
      teller.tell({ running: all });
      teller.tell({ retrying: all });
      return follower.told.filter(({ id }) => id === null).length >= 2;
    });
    await teller.close();
    const passing = follower.told.filter(({ id }) => id === null).map(({ type, imageId }) => `${type} ${imageId}`);
    expect(new Set(passing)).toEqual(new Set([`image.running ${three!.id}`, `image.retrying ${two!.id}`]));
  });

  test('a follower whose key is revoked is ended, and one that could not be judged is not', async () => {
    await using house = await openTwoHubs(engine);
    const revoked = await listen(house.hub(0), { mayFollow: async () => false });
    const unjudged = await listen(house.hub(0), { mayFollow: () => Promise.reject(new Error('no database')) });
    await until(() => revoked.why.length > 0);
    const settled = await write(house.house, 1);
    await until(() => endsOf(unjudged.told).length === settled.length);
    expect(revoked).toMatchObject({ why: ['revoked'], told: [] });
    expect(unjudged.why).toEqual([]);
  });

  test('a hub that closes ends its followers', async () => {
    await using house = await openTwoHubs(engine);
    const follower = await listen(house.hub(0));
    await house.hub(0).close();
    expect(follower.why).toEqual(['stopping']);
  });
});
