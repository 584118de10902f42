// live-seat.ts — one who follows the news: what it wants, how far it is, and how it is told.
//
// Whatever way the news come, they pass through `hand`, which goes by their number: what was told is not told again.

import { setTimeout as sleep } from 'node:timers/promises';
import type { NewsFilter, Told } from '../batches/read-events.ts';

/** Why the hub ends a follower. */
export type EndOfFollowing = 'slow' | 'stopping' | 'revoked';

export type Follower<Words> = {
  /** How it is told, for those who count; 'stream' unless it says otherwise. */
  kind?: 'stream' | 'socket';
  filter: NewsFilter;
  /** Everything up to this number is known; 0: tell all that is kept; undefined: only what is still to come. */
  after: number | undefined;
  /**
   * Called once and first, with the number from which it is told. `whole` is false when what came behind `after` is no
   * longer known: then it goes on from now.
   */
  begin(at: number, whole: boolean): void;
  /** Puts news into words, once for all followers that share the function; undefined = not worth telling. */
  say(told: Told): Promise<Words | undefined>;
  /** Sends them. */
  hear(words: Words, told: Told): void;
  /** Bytes that were handed over and that the reader has not taken. */
  unsent(): number;
  /** Whether it may still follow; asked every few seconds. */
  mayFollow(): Promise<boolean>;
  end(why: EndOfFollowing): void;
};

export type Seat = {
  readonly filter: NewsFilter;
  readonly say: (told: Told) => Promise<unknown>;
  readonly gone: boolean;
  /** Everything up to this number was told, or was not asked for. */
  at: number;
  /** Served by the hub's own reading; until then it reads by itself. */
  live: boolean;
  begin(at: number, whole: boolean): void;
  hand(told: Told, words: unknown): void;
  /** Resolves true once the reader has taken nearly all, false when it has stopped reading. */
  hasTaken(): Promise<boolean>;
  mayFollow(): Promise<boolean>;
  leave(why?: EndOfFollowing): void;
};

const mostUnsent = 1024 ** 2;
const littleUnsent = 128 * 1024;
const stalledMs = 30_000;

export function takeSeat<Words>(follower: Follower<Words>, left: (seat: Seat) => void): Seat {
  let gone = false;
  const seat: Seat = {
    filter: follower.filter,
    say: follower.say,
    at: 0,
    live: false,
    get gone() {
      return gone;
    },
    begin(at, whole) {
      seat.at = at;
      follower.begin(at, whole);
    },
    hand(told, words) {
      if (gone || (told.id !== null && told.id <= seat.at)) return;
      // The words come from this follower's own `say`.
      if (words !== undefined) follower.hear(words as Words, told);
      if (told.id !== null) seat.at = told.id;
      if (follower.unsent() > mostUnsent) seat.leave('slow');
    },
    async hasTaken() {
      const until = performance.now() + stalledMs;
      while (!seat.gone && follower.unsent() > littleUnsent) {
        if (performance.now() > until) return false;
        await sleep(50);
      }
      return true;
    },
    mayFollow: () => follower.mayFollow(),
    leave(why) {
      if (gone) return;
      gone = true;
      left(seat);
      if (why) follower.end(why);
    },
  };
  return seat;
}
