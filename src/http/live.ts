// live.ts — the hub: reads the news once for all who follow them, and hands each what it asked for.
//
// A follower first reads by itself, as fast as its reader takes it, from where it left off. Once it has everything that the
// hub has, it is live: the hub's single reading serves it, and it is dropped when it stops reading. Both ways go by the
// number of the news, so nothing is missed or told twice where they meet. Notifications only say when to look; the hub
// looks each second without them, and does nothing while nobody follows.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Uses } from '../app.ts';
import { describeNews, fits, isNewsKept, newsHead, readNews, readPassing, type News } from '../batches/read-events.ts';
import { askEveryMs, askForRunning, passingOf } from '../notify/running.ts';
import { openProgress } from './live-progress.ts';
import { takeSeat, type Follower, type Seat } from './live-seat.ts';

export type Following = {
  /** Everything up to this number was told, or was not asked for. */
  at(): number;
  stop(): void;
};

export type Live = {
  follow<Words>(follower: Follower<Words>): Promise<Following>;
  /** How many follow now, by the way they are told. */
  readonly followers: Readonly<Record<'stream' | 'socket', number>>;
  /** Ends all followers. */
  close(): Promise<void>;
};

type Needs = Uses<'db' | 'events' | 'log'>;

const lookAgainMs = 1_000;
/** Revoked keys shall end what they opened within seconds. */
const judgeEveryMs = 5_000;
/** News come in bursts: waiting a moment lets one reading serve many. */
const gatherMs = 25;
const describedAtOnce = 100;

export function openLive(app: Needs): Live {
  const seats = new Set<Seat>();
  const followers = { stream: 0, socket: 0 };
  const passing = openPassing(app);
  const progress = openProgress();
  let head = 0;
  let due = false;
  let closed = false;
  let turning = Promise.resolve();
  /** From the first follower on; gives the way to end it. */
  let listening: Promise<() => Promise<void>> | undefined;

  const live = () => [...seats].filter((seat) => seat.live);
  const wanting = (news: News) => live().filter((seat) => fits(news, seat.filter) && isNewTo(seat, news));

  function look(): void {
    if (due || closed || seats.size === 0) return;
    due = true;
    turning = gatherAndTurn(turning);
  }

  async function gatherAndTurn(before: Promise<void>): Promise<void> {
    await before;
    await sleep(gatherMs);
    due = false;
    if (!closed) await turn().catch(fallBehind);
    const waitMs = progress.waitMs();
    if (waitMs !== undefined) setTimeout(look, waitMs).unref();
  }

  async function turn(): Promise<void> {
    // Who is at work is read before the news: an image that has ended by then is not at work.
    await tellAll(await passing.take());
    for (let done = false; !done && seats.size > 0;) {
      const page = await readNews(app, head);
      done = page.done;
      // Moved on together with the choice of who is told: whoever becomes live later begins behind this page.
      head = Math.max(head, page.upTo);
      const served = live();
      for (const news of page.news) if (served.some((seat) => wantsProgress(seat, news))) progress.note(news);
      await tellAll(page.news);
      for (const seat of served) seat.at = Math.max(seat.at, page.upTo);
    }
    await tellAll(progress.take());
  }

  /** Who wants them is chosen before the first pause. */
  async function tellAll(news: News[]): Promise<void> {
    const wanted = news.map((each) => ({ each, by: wanting(each) })).filter(({ by }) => by.length > 0);
    for (let from = 0; from < wanted.length; from += describedAtOnce) {
      const some = wanted.slice(from, from + describedAtOnce);
      const told = await describeNews(
        app,
        some.map(({ each }) => each),
      );
      for (const [index, each] of told.entries()) {
        const words = new Map<Seat['say'], unknown>();
        for (const seat of some[index]?.by ?? []) {
          if (!words.has(seat.say)) words.set(seat.say, await seat.say(each));
          seat.hand(each, words.get(seat.say));
        }
      }
    }
  }

  /** The database was away in the middle of a page: everybody reads on from where they were. */
  function fallBehind(error: unknown): void {
    app.log.warn({ err: error }, 'the news could not be read yet');
    for (const seat of live()) {
      seat.live = false;
      void catchUpSurely(seat);
    }
  }

  async function catchUpSurely(seat: Seat): Promise<void> {
    while (!seat.gone && !seat.live) {
      try {
        await catchUp(seat);
      } catch (error) {
        app.log.warn({ err: error }, 'a follower could not be told the news yet');
        await sleep(lookAgainMs);
      }
    }
  }

  async function catchUp(seat: Seat): Promise<void> {
    while (!seat.gone) {
      if (seat.at >= head) {
        seat.live = true;
        return look();
      }
      const { news, upTo } = await readNews(app, seat.at, seat.filter);
      for (let from = 0; from < news.length; from += describedAtOnce) {
        const told = await describeNews(app, news.slice(from, from + describedAtOnce));
        for (const each of told) seat.hand(each, await seat.say(each));
        if (!(await seat.hasTaken())) return seat.leave('slow');
      }
      seat.at = Math.max(seat.at, upTo);
    }
  }

  const ask = () => {
    if ([...seats].some(wantsPassing)) askForRunning(app.db).catch(() => {});
  };

  const judge = () => {
    for (const seat of seats)
      seat.mayFollow().then(
        (may) => may || seat.leave('revoked'),
        // A database that is away revokes nobody.
        (error: unknown) => app.log.debug({ err: error }, 'a follower could not be judged'),
      );
  };

  async function begin(): Promise<() => Promise<void>> {
    const unlisten = await passing.listen(() => seats.size > 0, look);
    const unsubscribe = app.events.subscribe(look);
    const timers = [setInterval(look, lookAgainMs), setInterval(ask, askEveryMs), setInterval(judge, judgeEveryMs)];
    for (const timer of timers) timer.unref();
    return async () => {
      for (const timer of timers) clearInterval(timer);
      unsubscribe();
      await unlisten();
    };
  }

  return {
    async follow(follower) {
      await (listening ??= begin().catch((error: unknown) => {
        listening = undefined;
        throw error;
      }));
      const now = await newsHead(app);
      const { after, kind = 'stream' } = follower;
      const whole = after === undefined || after === 0 || (await isNewsKept(app, after));
      const seat = takeSeat(follower, (left) => {
        if (seats.delete(left)) followers[kind] -= 1;
      });
      if (live().length === 0) head = Math.max(head, now);
      seats.add(seat);
      followers[kind] += 1;
      seat.begin(whole ? (after ?? now) : now, whole);
      if (closed) seat.leave('stopping');
      ask();
      void catchUpSurely(seat);
      return { at: () => seat.at, stop: () => seat.leave() };
    },
    followers,
    async close() {
      closed = true;
      for (const seat of seats) seat.leave('stopping');
      const end = await listening?.catch(() => undefined);
      await end?.();
      await turning;
    },
  };
}

const isNewTo = (seat: Seat, { id }: News): boolean => id === null || id > seat.at;
const wantsProgress = ({ filter }: Seat, news: News): boolean =>
  news.imageId !== null && fits({ ...news, type: 'batch.progress', imageId: null }, filter);
const wantsPassing = ({ filter: { types } }: Seat): boolean =>
  types === undefined || types.has('image.running') || types.has('image.retrying');

const mostPassing = 1_000;

/** Gathers who is said to be at work, until the next turn. */
function openPassing(app: Needs) {
  const ids = { running: new Set<string>(), retrying: new Set<string>() };
  return {
    listen: (isWanted: () => boolean, heard: () => void) =>
      app.db.listen('running', (payload) => {
        const told = passingOf(payload);
        if (!told || !isWanted()) return;
        for (const [kind, some] of Object.entries(told) as [keyof typeof ids, string[]][])
          for (const id of some) if (ids[kind].size < mostPassing) ids[kind].add(id);
        heard();
      }),
    async take(): Promise<News[]> {
      const [running, retrying] = [[...ids.running], [...ids.retrying]];
      ids.running.clear();
      ids.retrying.clear();
      return [
        ...(await readPassing(app, 'image.running', running)),
        ...(await readPassing(app, 'image.retrying', retrying)),
      ];
    },
  };
}
